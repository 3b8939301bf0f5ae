package io.millrace.inference.dashboard;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.schemas.VersionRef;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;

/**
 * What the serving processes say that they serve. They are asked only while somebody looks: of a
 * domain that is looked at once a second, and of all domains page by page.
 */
final class Replicas {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration TIMEOUT = Duration.ofSeconds(3);
  private static final long INTERVAL = TimeUnit.MILLISECONDS.toNanos(900);

  /** How long the answer on a domain is kept that nobody looks at. */
  private static final long UNSEEN = TimeUnit.SECONDS.toNanos(60);

  /** How long a process may serve another version than the log names; it has to fetch it. */
  private static final long LATE_MILLIS = 20_000;

  /** Domains that are looked at; of more, what the processes say is not shown. */
  private static final int MOST_LOOKED = 1000;

  private static final int PAGE = 500;
  private static final int MOST_VERSIONS = 20;

  private final Supplier<List<URI>> addresses;
  private final TrackedDomains domains;
  private final int most;
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(
          work -> {
            Thread made = new Thread(work, "replicas");
            made.setDaemon(true);
            return made;
          });
  private final HttpClient client =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(TIMEOUT)
          .executor(thread)
          .build();
  private final Map<String, Looked> looked = new ConcurrentHashMap<>();
  private List<Replica> replicas;

  /**
   * @param addresses where the processes listen; asked once, at the first look
   * @param most domains to keep what they serve
   */
  Replicas(Supplier<List<URI>> addresses, TrackedDomains domains, int most) {
    this.addresses = addresses;
    this.domains = domains;
    this.most = most;
  }

  /**
   * What one process says of a domain.
   *
   * @param domain as {@code /v1/adapters} has it; null where the process does not know it
   * @param problem why it says nothing; null where it does
   */
  record Report(URI address, JsonNode domain, String problem) {}

  /**
   * What one process says of itself.
   *
   * @param asked whether it has answered, or failed to
   * @param problem why it does not answer; null where it does
   * @param known domains that it was found to know
   */
  record State(URI address, boolean asked, String problem, int known) {}

  /** What a process serves of a domain: a version that the log does not name since a time. */
  private record Served(long version, boolean refused, long wrongSince, long walk) {}

  /** A domain that is looked at. */
  private static final class Looked {
    private final AtomicBoolean asking = new AtomicBoolean();
    private volatile List<Report> reports = List.of();
    private volatile long askedAt = System.nanoTime() - INTERVAL;
    private volatile long seenAt;
  }

  private static final class Replica {
    private final URI address;
    private final Map<String, Served> served = new ConcurrentHashMap<>();
    private final AtomicBoolean asking = new AtomicBoolean();
    private volatile boolean asked;
    private volatile String problem;
    private volatile String after;
    private volatile long walk = 1;

    Replica(URI address) {
      this.address = address;
    }
  }

  private synchronized List<Replica> replicas() {
    if (replicas == null) {
      replicas = addresses.get().stream().map(Replica::new).toList();
    }
    return replicas;
  }

  /** Where the processes listen. */
  List<URI> addresses() {
    return replicas().stream().map(each -> each.address).toList();
  }

  /** Somebody looks: asks each process for the next page of its domains. */
  void look() {
    long now = System.nanoTime();
    looked.values().removeIf(each -> now - each.seenAt > UNSEEN);
    if (thread.isShutdown()) {
      return;
    }
    for (Replica replica : replicas()) {
      if (replica.asking.compareAndSet(false, true)) {
        walk(replica);
      }
    }
  }

  private void walk(Replica replica) {
    String after = replica.after;
    String query = "versions=1&limit=" + PAGE + (after == null ? "" : "&after=" + encoded(after));
    ask(replica.address, query)
        .whenComplete(
            (answer, failure) -> {
              if (failure == null) {
                replica.problem = null;
                answer.path("domains").forEach(domain -> take(replica, domain));
                JsonNode next = answer.path("next");
                replica.after = next.isTextual() ? next.asText() : null;
                if (replica.after == null) {
                  long walk = replica.walk++;
                  replica.served.values().removeIf(each -> each.walk() < walk);
                }
              } else {
                replica.problem = said(failure);
              }
              replica.asked = true;
              replica.asking.set(false);
            });
  }

  private void take(Replica replica, JsonNode domain) {
    String name = domain.path("domain").asText();
    JsonNode serving = domain.path("serving");
    String sha256 = serving.path("sha256").asText("");
    long version = serving.path("version").asLong();
    long refusal = 0;
    for (JsonNode each : domain.path("refusals")) {
      refusal = Math.max(refusal, each.path("version").asLong());
    }
    String due =
        domains.readOne(
            name,
            known ->
                known == null
                    ? null
                    : known.rollout().stable().map(VersionRef::getSha256).orElse(null));
    boolean right = due == null || due.equals(sha256);
    Served before = replica.served.get(name);
    long since =
        right
            ? 0
            : before != null && before.wrongSince() > 0
                ? before.wrongSince()
                : System.currentTimeMillis();
    if (before != null || replica.served.size() < most) {
      replica.served.put(name, new Served(version, refusal > version, since, replica.walk));
    }
  }

  /** Each process, and whether it answers. */
  List<State> states() {
    return replicas().stream()
        .map(each -> new State(each.address, each.asked, each.problem, each.served.size()))
        .toList();
  }

  /** Whether a process has refused a version that is newer than the one it serves. */
  boolean refuses(String domain) {
    return replicas().stream()
        .map(each -> each.served.get(domain))
        .anyMatch(served -> served != null && served.refused());
  }

  /** Whether a process serves another version than the log names, for longer than a fetch takes. */
  boolean disagrees(String domain) {
    long late = System.currentTimeMillis() - LATE_MILLIS;
    return replicas().stream()
        .map(each -> each.served.get(domain))
        .anyMatch(
            served -> served != null && served.wrongSince() > 0 && served.wrongSince() < late);
  }

  /** What each process said last of a domain, which it is then asked again. */
  List<Report> reports(String domain) {
    if (looked.size() >= MOST_LOOKED && !looked.containsKey(domain)) {
      return List.of();
    }
    Looked look = looked.computeIfAbsent(domain, name -> new Looked());
    long now = System.nanoTime();
    look.seenAt = now;
    if (!thread.isShutdown()
        && now - look.askedAt >= INTERVAL
        && look.asking.compareAndSet(false, true)) {
      look.askedAt = now;
      askAll(domain, look);
    }
    return look.reports;
  }

  private void askAll(String domain, Looked look) {
    String query = "versions=" + MOST_VERSIONS + "&domain=" + encoded(domain);
    List<CompletableFuture<Report>> asked = new ArrayList<>();
    for (Replica replica : replicas()) {
      asked.add(
          ask(replica.address, query)
              .handle(
                  (answer, failure) ->
                      failure == null
                          ? new Report(
                              replica.address,
                              answer.path("domains").path(0).isObject()
                                  ? answer.path("domains").path(0)
                                  : null,
                              null)
                          : new Report(replica.address, null, said(failure))));
    }
    CompletableFuture.allOf(asked.toArray(CompletableFuture[]::new))
        .whenComplete(
            (done, failure) -> {
              look.reports = asked.stream().map(CompletableFuture::join).toList();
              look.asking.set(false);
            });
  }

  private CompletableFuture<JsonNode> ask(URI address, String query) {
    HttpRequest request =
        HttpRequest.newBuilder(address.resolve("/v1/adapters?" + query)).timeout(TIMEOUT).build();
    // The request's own limit ends with the headers of the answer.
    return client
        .sendAsync(request, BodyHandlers.ofByteArray())
        .orTimeout(2 * TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
        .thenApply(Replicas::read);
  }

  private static JsonNode read(HttpResponse<byte[]> response) {
    if (response.statusCode() != 200) {
      throw new IllegalStateException("it answers " + response.statusCode());
    }
    try {
      return JSON.readTree(response.body());
    } catch (IOException e) {
      throw new IllegalStateException("its answer cannot be read", e);
    }
  }

  private static String said(Throwable failure) {
    Throwable cause = failure.getCause() == null ? failure : failure.getCause();
    return cause instanceof IllegalStateException && cause.getMessage() != null
        ? cause.getMessage()
        : "it does not answer";
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, UTF_8);
  }

  /** Asks no more; what was said last can still be looked at. */
  void close() {
    thread.shutdownNow();
  }
}
