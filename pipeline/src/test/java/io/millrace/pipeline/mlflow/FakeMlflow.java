package io.millrace.pipeline.mlflow;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A server of the part of MLflow's REST API 2.0 that the mirror asks, written after its published
 * description: the fields it takes, and no others; its rules for names; its codes of errors.
 */
final class FakeMlflow implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern NAME = Pattern.compile("[^/:.%\"']+");
  private static final Pattern ALIAS = Pattern.compile("(?!v[0-9]+$)(?!latest$)[\\w-]+");
  private static final Pattern FILTER =
      Pattern.compile("name = '([^']*)' and tags\\.`([^`]*)` = '([^']*)'");

  /** A version as it stands in the registry. */
  record Version(String number, String source, Map<String, String> tags) {}

  private static final class Model {
    final List<Version> versions = new ArrayList<>();
    final Map<String, String> aliases = new TreeMap<>();
  }

  private static final class RefusedException extends Exception {
    private static final long serialVersionUID = 1;
    final int status;
    final String code;

    RefusedException(int status, String code, String message) {
      super(message);
      this.status = status;
      this.code = code;
    }
  }

  private final HttpServer server;
  private final Map<String, Model> models = new TreeMap<>();
  private final List<String> calls = new CopyOnWriteArrayList<>();
  private volatile String authorization;
  private volatile int failing;
  private volatile String refusedSha256;

  FakeMlflow() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/api/2.0/mlflow/", this::handle);
    server.start();
  }

  URI uri() {
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
  }

  /** Answers nobody who does not send this. */
  void requireAuthorization(String value) {
    authorization = value;
  }

  /** Answers that many calls with 503. */
  void fail(int times) {
    failing = times;
  }

  /** Makes no version of this hash. */
  void refuse(String sha256) {
    refusedSha256 = sha256;
  }

  synchronized List<Version> versions(String model) {
    Model found = models.get(model);
    return found == null ? List.of() : List.copyOf(found.versions);
  }

  synchronized Map<String, String> aliases(String model) {
    return Map.copyOf(models.get(model).aliases);
  }

  synchronized Set<String> models() {
    return new TreeSet<>(models.keySet());
  }

  /** Method and path of each call. */
  List<String> calls() {
    return calls;
  }

  private void handle(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath().substring("/api/2.0/mlflow/".length());
    calls.add(exchange.getRequestMethod() + " " + path);
    try (exchange;
        InputStream in = exchange.getRequestBody()) {
      byte[] body = in.readAllBytes();
      try {
        if (failing > 0) {
          failing--;
          send(exchange, 503, "<html>not now</html>");
          return;
        }
        String shown = exchange.getRequestHeaders().getFirst("Authorization");
        if (authorization != null && !authorization.equals(shown)) {
          throw new RefusedException(401, "UNAUTHENTICATED", "no");
        }
        JsonNode answer;
        synchronized (this) {
          answer = answer(exchange, path, body);
        }
        send(exchange, 200, answer.toString());
      } catch (RefusedException e) {
        ObjectNode error = JSON.createObjectNode();
        error.put("error_code", e.code).put("message", e.getMessage());
        send(exchange, e.status, error.toString());
      }
    }
  }

  private JsonNode answer(HttpExchange exchange, String path, byte[] body)
      throws IOException, RefusedException {
    switch (exchange.getRequestMethod() + " " + path) {
      case "GET registered-models/search":
        query(exchange, Set.of("max_results"));
        return JSON.createObjectNode();
      case "POST registered-models/create":
        return createModel(fields(body, Set.of("name"), Set.of("tags", "description")));
      case "GET model-versions/search":
        return search(query(exchange, Set.of("filter", "max_results")));
      case "POST model-versions/create":
        return createVersion(
            fields(body, Set.of("name", "source"), Set.of("run_id", "tags", "description")));
      case "POST model-versions/set-tag":
        JsonNode tag = fields(body, Set.of("name", "version", "key", "value"), Set.of());
        version(tag).tags().put(tag.get("key").asText(), tag.get("value").asText());
        return JSON.createObjectNode();
      case "POST registered-models/alias":
        JsonNode set = fields(body, Set.of("name", "alias", "version"), Set.of());
        if (!ALIAS.matcher(set.get("alias").asText()).matches()) {
          throw invalid("Invalid alias name");
        }
        model(set).aliases.put(set.get("alias").asText(), version(set).number());
        return JSON.createObjectNode();
      case "DELETE registered-models/alias":
        JsonNode gone = fields(body, Set.of("name", "alias"), Set.of());
        model(gone).aliases.remove(gone.get("alias").asText());
        return JSON.createObjectNode();
      default:
        throw new RefusedException(404, "ENDPOINT_NOT_FOUND", path);
    }
  }

  private JsonNode createModel(JsonNode asked) throws RefusedException {
    String name = asked.get("name").asText();
    if (!NAME.matcher(name).matches()) {
      throw invalid("Registered model name cannot contain those characters");
    }
    if (models.containsKey(name)) {
      throw new RefusedException(
          400,
          "RESOURCE_ALREADY_EXISTS",
          "Registered Model (name=%s) already exists.".formatted(name));
    }
    models.put(name, new Model());
    ObjectNode answer = JSON.createObjectNode();
    answer.putObject("registered_model").put("name", name);
    return answer;
  }

  private JsonNode createVersion(JsonNode asked) throws RefusedException {
    Map<String, String> tags = new LinkedHashMap<>();
    asked.path("tags").forEach(tag -> tags.put(tag.get("key").asText(), tag.get("value").asText()));
    if (tags.get("millrace.sha256").equals(refusedSha256)) {
      throw invalid("Invalid model version source");
    }
    Model model = model(asked);
    Version version =
        new Version(
            Integer.toString(model.versions.size() + 1), asked.get("source").asText(), tags);
    model.versions.add(version);
    ObjectNode answer = JSON.createObjectNode();
    json(answer.putObject("model_version"), asked.get("name").asText(), version);
    return answer;
  }

  private JsonNode search(Map<String, String> query) throws RefusedException {
    Matcher filter = FILTER.matcher(query.get("filter"));
    if (!filter.matches()) {
      throw invalid("Invalid filter string");
    }
    Model model = models.get(filter.group(1));
    ObjectNode answer = JSON.createObjectNode();
    ArrayNode found = JSON.createArrayNode();
    if (model != null) {
      // Newest first, as the server orders them.
      for (int i = model.versions.size() - 1; i >= 0; i--) {
        Version version = model.versions.get(i);
        if (filter.group(3).equals(version.tags().get(filter.group(2)))
            && found.size() < Integer.parseInt(query.get("max_results"))) {
          json(found.addObject(), filter.group(1), version);
        }
      }
    }
    return found.isEmpty() ? answer : answer.set("model_versions", found);
  }

  private static void json(ObjectNode json, String name, Version version) {
    json.put("name", name).put("version", version.number()).put("source", version.source());
    ArrayNode tags = json.putArray("tags");
    version.tags().forEach((key, value) -> tags.addObject().put("key", key).put("value", value));
  }

  private Model model(JsonNode asked) throws RefusedException {
    Model model = models.get(asked.get("name").asText());
    if (model == null) {
      throw new RefusedException(404, "RESOURCE_DOES_NOT_EXIST", "Registered Model not found");
    }
    return model;
  }

  private Version version(JsonNode asked) throws RefusedException {
    return model(asked).versions.stream()
        .filter(each -> each.number().equals(asked.get("version").asText()))
        .findFirst()
        .orElseThrow(
            () -> new RefusedException(404, "RESOURCE_DOES_NOT_EXIST", "Model Version not found"));
  }

  private static JsonNode fields(byte[] body, Set<String> required, Set<String> optional)
      throws IOException, RefusedException {
    JsonNode json = JSON.readTree(body);
    Set<String> given = new TreeSet<>();
    json.fieldNames().forEachRemaining(given::add);
    Set<String> known = new TreeSet<>(required);
    known.addAll(optional);
    if (!given.containsAll(required) || !known.containsAll(given)) {
      throw invalid("fields " + given);
    }
    return json;
  }

  private static Map<String, String> query(HttpExchange exchange, Set<String> known)
      throws RefusedException {
    Map<String, String> query = new TreeMap<>();
    for (String each : exchange.getRequestURI().getRawQuery().split("&")) {
      String[] pair = each.split("=", 2);
      query.put(pair[0], URLDecoder.decode(pair[1], StandardCharsets.UTF_8));
    }
    if (!query.keySet().equals(known)) {
      throw invalid("parameters " + query.keySet());
    }
    return query;
  }

  private static RefusedException invalid(String message) {
    return new RefusedException(400, "INVALID_PARAMETER_VALUE", message);
  }

  private static void send(HttpExchange exchange, int status, String body) throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
