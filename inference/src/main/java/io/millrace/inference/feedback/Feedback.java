package io.millrace.inference.feedback;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.TraceContext;
import io.millrace.inference.feedback.FeedbackException.Reason;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.predict.PredictRequest;
import io.millrace.inference.predict.Prediction;
import io.millrace.schemas.LabeledExample;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Joins a label to the request it belongs to, and writes both as an example, whichever process has
 * answered the request.
 *
 * <p>One example per request. Who is to write it first claims it, in the topic that all serving
 * processes share; the first claim counts, and the others wait for its example. Where a claim is
 * left without an example, since its process has ended or Kafka has not confirmed it, the next one
 * reads the examples back before it writes.
 */
public final class Feedback {
  private static final Logger LOG = LoggerFactory.getLogger(Feedback.class);
  private static final Duration TIMEOUT = Duration.ofSeconds(10);
  private static final Duration TIDY = Duration.ofSeconds(1);
  private static final int MAX_WAITING = 1000;

  /** A claim of another process that has lasted longer is over: its producer has given up. */
  private static final Duration CLAIM_HOLDS = ExampleWriter.DELIVERY.multipliedBy(2);

  /** Until a request that was just answered elsewhere is known here. */
  private static final Duration ARRIVAL = Duration.ofSeconds(1);

  private static final Duration LOOK_AGAIN = Duration.ofMillis(100);

  private record Place(String requestId, long number) {}

  private record Pending(
      String label, TraceContext trace, CompletableFuture<ServedRequest.Example> example) {}

  /**
   * A label that was given.
   *
   * @param since when, by {@link System#nanoTime}
   */
  private record Given(String requestId, String label, TraceContext trace, long since) {}

  private final ServedRequests requests;
  private final Connection connection;
  private final SharedRequests shared;
  private final ExampleSearch search;
  private final Map<Place, Pending> pending = new ConcurrentHashMap<>();
  private final ExecutorService lookups = bounded("feedback");

  /** A thread of its own, which waits for Kafka; feedback on unknown ids does not wait with it. */
  private final ExecutorService appends = bounded("feedback-append");

  private final ScheduledExecutorService tidying =
      Executors.newSingleThreadScheduledExecutor(named("feedback-tidy"));

  private ExampleWriter writer;

  /**
   * @param window how long requests are remembered
   */
  public Feedback(ServedRequests requests, Connection connection, Duration window) {
    this.requests = requests;
    this.connection = connection;
    this.shared = new SharedRequests(connection, requests, window);
    this.search = new ExampleSearch(connection);
    tidying.scheduleWithFixedDelay(
        this::forget, TIDY.toMillis(), TIDY.toMillis(), TimeUnit.MILLISECONDS);
  }

  private static ExecutorService bounded(String name) {
    return new ThreadPoolExecutor(
        1, 1, 0, TimeUnit.SECONDS, new ArrayBlockingQueue<>(MAX_WAITING), named(name));
  }

  private static ThreadFactory named(String name) {
    return work -> {
      Thread thread = new Thread(work, name);
      thread.setDaemon(true);
      return thread;
    };
  }

  private void forget() {
    try {
      requests.forget();
    } catch (RuntimeException e) {
      LOG.warn("old requests are not deleted yet", e);
    }
  }

  /** Whether another request, with another domain or text, has this one's id. */
  public boolean isTaken(PredictRequest request) {
    try {
      return requests
          .find(request.requestId())
          .filter(held -> !held.asks(request.domain(), request.text()))
          .isPresent();
    } catch (RuntimeException e) {
      LOG.warn("whether a request's id is in use is not known", e);
      return false;
    }
  }

  /**
   * Remembers an answer for feedback. Where that fails, the answer is sent all the same, and
   * feedback on it is refused.
   *
   * @return false where another request has the id
   */
  public boolean remember(PredictRequest request, Prediction prediction) {
    try {
      boolean isMine =
          requests.remember(request.requestId(), request.domain(), request.text(), prediction);
      if (isMine) {
        requests
            .find(request.requestId())
            .ifPresent(served -> shared.served(request.requestId(), served));
      }
      return isMine;
    } catch (RuntimeException e) {
      LOG.warn("a request was answered and is not remembered", e);
      return true;
    }
  }

  /** Adds the gauge of remembered requests. */
  public void register(ServingMetrics metrics) {
    metrics.gauge(
        "millrace_remembered_requests",
        "Requests that feedback may still be given on, about.",
        requests::count);
  }

  /**
   * Feedback that was taken.
   *
   * @param example the label, and the partition and offset of the example
   * @param again whether the example was written before
   */
  public record Taken(ServedRequest request, ServedRequest.Example example, boolean again) {}

  /**
   * Takes a label.
   *
   * @param requestId the id that was returned with the answer
   * @param trace the trace of the request that gives the label; the example goes on with it
   * @return completes once Kafka has the example; fails with {@link FeedbackException} where none
   *     was written, or with {@link java.util.concurrent.TimeoutException} after 10 seconds
   */
  public CompletableFuture<Taken> give(String requestId, String label, TraceContext trace) {
    Given given = new Given(requestId, label, trace, System.nanoTime());
    try {
      return CompletableFuture.supplyAsync(() -> join(given), lookups)
          .thenCompose(taken -> taken)
          .orTimeout(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException e) {
      return CompletableFuture.failedFuture(
          new FeedbackException(Reason.NOT_WRITTEN, "too much feedback is waiting; try again"));
    }
  }

  private CompletableFuture<Taken> join(Given given) {
    String requestId = given.requestId();
    String label = given.label();
    Optional<ServedRequest> found = requests.find(requestId);
    if (found.isEmpty()) {
      if (shared.available() && System.nanoTime() - given.since() < ARRIVAL.toNanos()) {
        return joinLater(given);
      }
      throw new FeedbackException(
          Reason.UNKNOWN, "no request of that id was answered here, or it was too long ago");
    }
    ServedRequest request = found.get();
    if (request.example() != null) {
      return CompletableFuture.completedFuture(again(request, label));
    }
    if (request.text() == null) {
      throw new FeedbackException(
          Reason.NO_EXAMPLE,
          "the text of that request is longer than %d bytes, and so no example"
              .formatted(ServedRequest.MAX_TEXT_BYTES));
    }
    if (isHeldElsewhere(request.claim())) {
      requireSame(request.claim().label(), label);
      return joinLater(given);
    }
    Place place = new Place(requestId, request.number());
    Pending mine = new Pending(label, given.trace(), new CompletableFuture<>());
    Pending other = pending.putIfAbsent(place, mine);
    if (other != null) {
      requireSame(other.label(), label);
      return unlessElsewhere(
          other.example().thenApply(example -> new Taken(request, example, true)), given);
    }
    // Another thread may have written the example since the request was read.
    Optional<ServedRequest> now = requests.find(requestId);
    if (!now.equals(found)) {
      pending.remove(place);
      return join(given);
    }
    ServedRequest.Claim claim =
        new ServedRequest.Claim(
            UUID.randomUUID().toString(), shared.process(), label, Instant.now());
    String after = request.claim() == null ? null : request.claim().attempt();
    shared
        .claim(requestId, request, claim, after)
        .whenComplete(
            (won, failure) -> {
              if (failure != null) {
                fail(place, mine, failure);
              } else if (won) {
                write(place, request, mine);
              } else {
                pending.remove(place);
                mine.example().completeExceptionally(new ClaimedElsewhere());
              }
            });
    return unlessElsewhere(
        mine.example().thenApply(example -> new Taken(request, example, false)), given);
  }

  private CompletableFuture<Taken> unlessElsewhere(CompletableFuture<Taken> taken, Given given) {
    return taken.exceptionallyCompose(
        failure -> {
          Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
          return cause instanceof ClaimedElsewhere
              ? joinLater(given)
              : CompletableFuture.failedFuture(cause);
        });
  }

  /** Another process was first to say that it writes the example. */
  private static final class ClaimedElsewhere extends RuntimeException {
    private static final long serialVersionUID = 1;
  }

  private boolean isHeldElsewhere(ServedRequest.Claim claim) {
    return claim != null
        && !claim.process().equals(shared.process())
        && Instant.now().isBefore(claim.at().plus(CLAIM_HOLDS));
  }

  /** Ends with the caller's timeout at the latest. */
  private CompletableFuture<Taken> joinLater(Given given) {
    if (System.nanoTime() - given.since() > TIMEOUT.toNanos()) {
      throw new FeedbackException(
          Reason.NOT_WRITTEN, "another process is writing the example; try again");
    }
    return CompletableFuture.supplyAsync(
            () -> join(given),
            CompletableFuture.delayedExecutor(
                LOOK_AGAIN.toMillis(), TimeUnit.MILLISECONDS, lookups))
        .thenCompose(taken -> taken);
  }

  private void write(Place place, ServedRequest request, Pending mine) {
    try {
      appends.execute(
          () -> {
            // An earlier attempt, of whichever process, may have written it.
            if (request.claim() == null) {
              append(place, request, mine);
            } else {
              appendUnlessThere(place, request, mine);
            }
          });
    } catch (RejectedExecutionException e) {
      pending.remove(place);
      mine.example()
          .completeExceptionally(
              new FeedbackException(
                  Reason.NOT_WRITTEN, "too many examples are waiting for Kafka; try again"));
    }
  }

  private void appendUnlessThere(Place place, ServedRequest request, Pending mine) {
    try {
      Optional<ServedRequest.Example> written = search.find(place.requestId(), request);
      if (written.isEmpty()) {
        append(place, request, mine);
      } else if (written.get().label().equals(mine.label())) {
        made(place, request, mine, written.get());
      } else {
        remember(place, request, written.get());
        pending.remove(place);
        mine.example().completeExceptionally(otherLabel(written.get().label()));
      }
    } catch (RuntimeException e) {
      fail(place, mine, e);
    }
  }

  private static Taken again(ServedRequest request, String label) {
    requireSame(request.example().label(), label);
    return new Taken(request, request.example(), true);
  }

  private static void requireSame(String given, String label) {
    if (!given.equals(label)) {
      throw otherLabel(given);
    }
  }

  private static FeedbackException otherLabel(String given) {
    return new FeedbackException(
        Reason.OTHER_LABEL, "that request has the label \"%s\" already".formatted(given));
  }

  private void append(Place place, ServedRequest request, Pending mine) {
    try {
      if (writer == null) {
        writer = new ExampleWriter(connection);
      }
      writer
          .append(example(place.requestId(), request, mine.label()), mine.trace())
          .whenComplete(
              (written, failure) -> {
                if (failure != null) {
                  fail(place, mine, failure);
                } else {
                  made(place, request, mine, written);
                }
              });
    } catch (RuntimeException e) {
      fail(place, mine, e);
    }
  }

  private void made(
      Place place, ServedRequest request, Pending mine, ServedRequest.Example example) {
    remember(place, request, example);
    pending.remove(place);
    mine.example().complete(example);
  }

  private void remember(Place place, ServedRequest request, ServedRequest.Example example) {
    try {
      requests.made(place.requestId(), request, example);
      shared.made(place.requestId(), request, example);
    } catch (RuntimeException e) {
      LOG.warn("an example was written, and its place is not remembered", e);
    }
  }

  private void fail(Place place, Pending mine, Throwable failure) {
    LOG.warn("an example could not be written", failure);
    pending.remove(place);
    mine.example()
        .completeExceptionally(
            new FeedbackException(
                Reason.NOT_WRITTEN,
                "Kafka or the schema registry did not take the example; try again",
                failure));
  }

  private static LabeledExample example(String requestId, ServedRequest request, String label) {
    return LabeledExample.newBuilder()
        .setId(requestId)
        .setDomain(request.domain())
        .setText(request.text())
        .setLabel(label)
        .setEventTime(request.at())
        .setMetadata(metadata(request))
        .build();
  }

  /** Where the text comes from, and what was answered. */
  private static Map<String, String> metadata(ServedRequest request) {
    Map<String, String> metadata = new HashMap<>();
    metadata.put("source", "feedback");
    if (request.servedDomain() == null) {
      metadata.put("servedBy", "base");
      return metadata;
    }
    metadata.put("version", Long.toString(request.version()));
    metadata.put("sha256", request.sha256());
    metadata.put("predicted", request.predicted());
    if (!request.servedDomain().equals(request.domain())) {
      metadata.put("servedBy", "parent");
      metadata.put("servedDomain", request.servedDomain());
    }
    return metadata;
  }

  /**
   * Takes no more feedback, and ends within a time. Feedback whose example Kafka has not confirmed
   * by then is not answered.
   *
   * @return false where it still works when the time is up; the store is still in use then
   */
  public boolean close(Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    shared.close();
    tidying.shutdown();
    lookups.shutdown();
    appends.shutdownNow();
    try {
      if (!lookups.awaitTermination(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)
          || !appends.awaitTermination(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)
          || !tidying.awaitTermination(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
        return false;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
    if (writer != null) {
      writer.close();
    }
    requests.close();
    return true;
  }
}
