package io.millrace.schemas.registry;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;

/**
 * A client of a schema registry with Confluent's REST interface. It caches every answer, since the
 * assignment of ids to schemas never changes. Safe for several threads. Each request is sent once,
 * with a timeout of 10 s: retries are up to the caller.
 *
 * <p>That an id is unknown is cached for one second only, for the last thousand ids. A stream of
 * broken records must not become a stream of requests; but the next schema that is registered may
 * get the very id that a broken record carries.
 */
public final class SchemaRegistry {
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(2);
  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration UNKNOWN_FOR = Duration.ofSeconds(1);
  private static final int UNKNOWN_IDS = 1000;
  private static final int MAX_REDIRECTS = 5;
  private static final String MEDIA_TYPE = "application/vnd.schemaregistry.v1+json";
  private static final int SCHEMA_NOT_FOUND = 40403;
  private static final Pattern CLASS_NAME = Pattern.compile("\\b(\\w+\\.)+\\w+Exception: ");
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient http;
  private final String url;
  private final Optional<String> authorization;
  private final boolean showsCredentials;
  private final Duration answerTimeout;
  private final Map<Registration, Integer> ids = new ConcurrentHashMap<>();
  private final Map<Integer, Schema> schemas = new ConcurrentHashMap<>();
  private final Map<Integer, String> unusable = new ConcurrentHashMap<>();
  private final Duration unknownFor;

  /** Time of the answer by id, in {@link System#nanoTime}; the oldest entry is dropped first. */
  private final Map<Integer, Long> unknown =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Integer, Long> eldest) {
          return size() > UNKNOWN_IDS;
        }
      };

  private record Registration(String subject, Schema schema) {}

  /**
   * A client of the registry at {@code url}, such as {@code http://127.0.0.1:8081}; {@code
   * https://user:password@host} sends credentials.
   *
   * @throws IllegalArgumentException where {@code url} is not an http or https URL
   */
  public SchemaRegistry(String url) {
    this(url, Optional.empty(), Optional.empty());
  }

  /**
   * As the other constructor.
   *
   * @param authorization the value of the header Authorization, instead of credentials in the URL
   * @param tls how to speak TLS; empty for Java's defaults
   */
  public SchemaRegistry(String url, Optional<String> authorization, Optional<RegistryTls> tls) {
    this(url, authorization, tls, ANSWER_TIMEOUT, UNKNOWN_FOR);
  }

  SchemaRegistry(String url, Duration answerTimeout, Duration unknownFor) {
    this(url, Optional.empty(), Optional.empty(), answerTimeout, unknownFor);
  }

  private SchemaRegistry(
      String url,
      Optional<String> authorization,
      Optional<RegistryTls> tls,
      Duration answerTimeout,
      Duration unknownFor) {
    URI uri = URI.create(url.strip());
    boolean web = "http".equals(uri.getScheme()) || "https".equals(uri.getScheme());
    if (!web || uri.getHost() == null) {
      throw new IllegalArgumentException("not an http or https URL");
    }
    String port = uri.getPort() < 0 ? "" : ":" + uri.getPort();
    String path = uri.getRawPath().replaceAll("/+$", "");
    this.url = uri.getScheme() + "://" + uri.getHost() + port + path;
    this.authorization =
        authorization.or(() -> Optional.ofNullable(uri.getUserInfo()).map(SchemaRegistry::basic));
    this.showsCredentials = this.authorization.isPresent() || tls.isPresent();
    HttpClient.Builder builder =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(CONNECT_TIMEOUT)
            // Java's own redirects carry the header Authorization anywhere.
            .followRedirects(HttpClient.Redirect.NEVER);
    tls.ifPresent(
        settings -> builder.sslContext(settings.context()).sslParameters(settings.parameters()));
    this.http = builder.build();
    this.answerTimeout = answerTimeout;
    this.unknownFor = unknownFor;
  }

  /**
   * The id of {@code schema} in {@code subject}. Registers the schema where it is not registered
   * yet.
   *
   * @throws SchemaRefusedException where the registry refuses the schema
   * @throws IOException where the registry does not answer, or its answer holds no id
   */
  public int idOf(String subject, Schema schema) throws IOException {
    Registration registration = new Registration(subject, schema);
    Integer known = ids.get(registration);
    if (known != null) {
      return known;
    }
    String path = "/subjects/" + URLEncoder.encode(subject, StandardCharsets.UTF_8) + "/versions";
    String body = JSON.createObjectNode().put("schema", portable(schema).toString()).toString();
    HttpRequest.Builder request =
        request(path).header("Content-Type", MEDIA_TYPE).POST(BodyPublishers.ofString(body));
    HttpResponse<String> response = send(request);
    if (response.statusCode() == 409 || response.statusCode() == 422) {
      throw new SchemaRefusedException(
          "the schema registry refuses the schema of "
              + schema.getFullName()
              + " for subject "
              + subject
              + ": "
              + json(response).path("message").asText());
    }
    JsonNode id = json(response).path("id");
    if (response.statusCode() != 200 || !id.isInt()) {
      throw unexpected(response);
    }
    ids.put(registration, id.intValue());
    return id.intValue();
  }

  /**
   * The schema with this id; empty where the registry has none.
   *
   * @throws AvroRuntimeException where Avro cannot read it, such as a schema in another language
   * @throws IOException where the registry does not answer, or its answer holds no schema
   */
  public Optional<Schema> schema(int id) throws IOException {
    Schema known = schemas.get(id);
    if (known != null) {
      return Optional.of(known);
    }
    if (unusable.containsKey(id)) {
      throw new AvroRuntimeException(unusable.get(id));
    }
    // No registry assigns negative ids, and some do not answer "unknown" for them.
    if (id < 0 || isUnknown(id)) {
      return Optional.empty();
    }
    HttpResponse<String> response = send(request("/schemas/ids/" + id).GET());
    JsonNode answer = json(response);
    // Check the registry's own error code: a wrong path or a proxy also answers 404.
    if (answer.path("error_code").asInt() == SCHEMA_NOT_FOUND) {
      noteUnknown(id);
      return Optional.empty();
    }
    if (response.statusCode() != 200 || !answer.path("schema").isTextual()) {
      throw unexpected(response);
    }
    try {
      Schema schema = parse(id, answer);
      schemas.put(id, schema);
      return Optional.of(schema);
    } catch (AvroRuntimeException e) {
      unusable.put(id, e.getMessage());
      throw e;
    }
  }

  private boolean isUnknown(int id) {
    synchronized (unknown) {
      Long since = unknown.get(id);
      return since != null && System.nanoTime() - since < unknownFor.toNanos();
    }
  }

  private void noteUnknown(int id) {
    synchronized (unknown) {
      // Put alone would keep the old place in the order.
      unknown.remove(id);
      unknown.put(id, System.nanoTime());
    }
  }

  /**
   * {@code schema} without the string type that generated Java classes add, as readers in other
   * languages, and registries that compare schemas as text, should see it.
   */
  public static Schema portable(Schema schema) {
    try {
      JsonNode tree = JSON.readTree(schema.toString());
      tree.findParents("avro.java.string")
          .forEach(parent -> ((ObjectNode) parent).remove("avro.java.string"));
      return new Schema.Parser().parse(tree.toString());
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("Avro wrote a schema that is not JSON", e);
    }
  }

  private static Schema parse(int id, JsonNode answer) {
    String type = answer.path("schemaType").asText("AVRO");
    if (!type.equals("AVRO")) {
      throw new AvroRuntimeException("schema " + id + " is a schema for " + type + ", not Avro");
    }
    try {
      return new Schema.Parser().setValidateDefaults(false).parse(answer.path("schema").asText());
    } catch (RuntimeException | StackOverflowError e) {
      throw new AvroRuntimeException("schema " + id + " is not valid: " + e.getMessage(), e);
    }
  }

  private static String basic(String user) {
    return "Basic " + Base64.getEncoder().encodeToString(user.getBytes(StandardCharsets.UTF_8));
  }

  private HttpRequest.Builder request(String path) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(url + path)).header("Accept", MEDIA_TYPE);
    authorization.ifPresent(value -> request.header("Authorization", value));
    return request;
  }

  private HttpResponse<String> send(HttpRequest.Builder request) throws IOException {
    long deadline = System.nanoTime() + answerTimeout.toNanos();
    for (int redirects = 0; ; redirects++) {
      HttpRequest built = request.build();
      HttpResponse<String> response = exchange(built, deadline);
      Optional<URI> elsewhere = redirect(built, response);
      if (elsewhere.isEmpty() || redirects == MAX_REDIRECTS) {
        return response;
      }
      request.uri(elsewhere.get());
    }
  }

  /**
   * Where an answer sends a request.
   *
   * @throws IOException where the request must not be sent there
   */
  private Optional<URI> redirect(HttpRequest request, HttpResponse<String> response)
      throws IOException {
    boolean keepsMethod = response.statusCode() == 307 || response.statusCode() == 308;
    boolean moved = response.statusCode() == 301 || response.statusCode() == 302;
    Optional<String> location = response.headers().firstValue("Location");
    if (location.isEmpty() || !(keepsMethod || moved && request.method().equals("GET"))) {
      return Optional.empty();
    }
    URI from = request.uri();
    URI to;
    try {
      to = from.resolve(location.get());
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
    boolean web = "http".equals(to.getScheme()) || "https".equals(to.getScheme());
    boolean lessSafe = "https".equals(from.getScheme()) && !"https".equals(to.getScheme());
    if (!web || to.getHost() == null || lessSafe || (showsCredentials && !sameOrigin(from, to))) {
      throw new IOException(
          "schema registry "
              + url
              + " sends its clients to "
              + to.getScheme()
              + "://"
              + to.getHost()
              + (to.getPort() < 0 ? "" : ":" + to.getPort())
              + ", which is not shown the credentials; if that is right, make it"
              + " schema.registry.url");
    }
    return Optional.of(to);
  }

  private static boolean sameOrigin(URI one, URI other) {
    return one.getScheme().equals(other.getScheme())
        && one.getHost().equalsIgnoreCase(other.getHost())
        && port(one) == port(other);
  }

  private static int port(URI uri) {
    if (uri.getPort() >= 0) {
      return uri.getPort();
    }
    return uri.getScheme().equals("https") ? 443 : 80;
  }

  private HttpResponse<String> exchange(HttpRequest request, long deadline) throws IOException {
    // HttpRequest's own timeout ends with the headers; the body could take any time.
    CompletableFuture<HttpResponse<String>> exchange =
        http.sendAsync(request, BodyHandlers.ofString());
    try {
      return exchange.get(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      Throwable cause = e.getCause();
      throw new IOException("schema registry " + url + ": " + reason(cause), cause);
    } catch (TimeoutException e) {
      exchange.cancel(true);
      throw new IOException(
          "schema registry " + url + ": no answer within " + answerTimeout.toMillis() + " ms", e);
    } catch (InterruptedException e) {
      exchange.cancel(true);
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while waiting for schema registry " + url);
    }
  }

  private static String reason(Throwable failure) {
    if (failure.getMessage() == null) {
      return "no connection";
    }
    // A failed check of a certificate repeats its cause, with the name of its class.
    return failure instanceof SSLException
        ? CLASS_NAME.matcher(failure.getMessage()).replaceAll("") + "; see schema.registry.ssl.*"
        : failure.getMessage();
  }

  private JsonNode json(HttpResponse<String> response) throws IOException {
    try {
      return JSON.readTree(response.body());
    } catch (JsonProcessingException e) {
      throw unexpected(response);
    }
  }

  private IOException unexpected(HttpResponse<String> response) {
    String body = response.body().strip().replaceAll("\\s+", " ");
    String start = body.length() <= 200 ? body : body.substring(0, 200) + "...";
    boolean denied = response.statusCode() == 401 || response.statusCode() == 403;
    String hint = denied ? "; see schema.registry.basic.auth.user.info and bearer.auth.token" : "";
    return new IOException(
        "schema registry " + url + " answered " + response.statusCode() + ": " + start + hint);
  }
}
