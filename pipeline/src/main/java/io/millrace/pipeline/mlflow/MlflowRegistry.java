package io.millrace.pipeline.mlflow;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.pipeline.mlflow.MlflowException.Kind;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * The few calls of MLflow's <a
 * href="https://mlflow.org/docs/latest/api_reference/rest-api.html">REST API 2.0</a> that a mirror
 * needs. Each is tried once.
 */
final class MlflowRegistry {
  private static final Duration TIMEOUT = Duration.ofSeconds(30);
  private static final ObjectMapper JSON = new ObjectMapper();

  private final String api;
  private final Optional<String> authorization;
  private final HttpClient client =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(TIMEOUT)
          .followRedirects(HttpClient.Redirect.NEVER)
          .build();

  /**
   * @param uri of the tracking server, such as {@code http://127.0.0.1:5000}
   * @param authorization value of the header; empty for none
   */
  MlflowRegistry(URI uri, Optional<String> authorization) {
    this.api = uri.toString().replaceAll("/+$", "") + "/api/2.0/mlflow/";
    this.authorization = authorization;
  }

  /** Asks for any model, to see whether this is a registry. */
  void check() throws MlflowException {
    get("registered-models/search", Map.of("max_results", "1"));
  }

  /** Makes a registered model, unless it is there. */
  void createModel(String name, Map<String, String> tags) throws MlflowException {
    try {
      post("registered-models/create", body(name).set("tags", tags(tags)));
    } catch (MlflowException e) {
      if (!e.code().equals("RESOURCE_ALREADY_EXISTS")) {
        throw e;
      }
    }
  }

  /**
   * The newest version of a model with a tag of this value.
   *
   * @return MLflow's number of it
   */
  Optional<String> findVersion(String name, String tag, String value) throws MlflowException {
    String filter = "name = '%s' and tags.`%s` = '%s'".formatted(name, tag, value);
    JsonNode found = get("model-versions/search", Map.of("filter", filter, "max_results", "1"));
    JsonNode version = found.path("model_versions").path(0).path("version");
    return version.isMissingNode() ? Optional.empty() : Optional.of(version.asText());
  }

  /**
   * Adds a version.
   *
   * @return MLflow's number of it
   */
  String createVersion(String name, String source, String description, Map<String, String> tags)
      throws MlflowException {
    ObjectNode body = body(name).put("source", source).put("description", description);
    JsonNode made = post("model-versions/create", body.set("tags", tags(tags)));
    JsonNode version = made.path("model_version").path("version");
    if (version.isMissingNode()) {
      throw new MlflowException(Kind.REFUSED, "", "its answer names no version: " + made);
    }
    return version.asText();
  }

  /** Sets a tag of a version. */
  void tagVersion(String name, String version, String key, String value) throws MlflowException {
    post(
        "model-versions/set-tag",
        body(name).put("version", version).put("key", key).put("value", value));
  }

  /** Points an alias at a version. */
  void setAlias(String name, String alias, String version) throws MlflowException {
    post("registered-models/alias", body(name).put("alias", alias).put("version", version));
  }

  /** Takes an alias away, where it is there. */
  void deleteAlias(String name, String alias) throws MlflowException {
    try {
      send("DELETE", "registered-models/alias", body(name).put("alias", alias));
    } catch (MlflowException e) {
      if (!e.code().equals("RESOURCE_DOES_NOT_EXIST")) {
        throw e;
      }
    }
  }

  private static ObjectNode body(String name) {
    return JSON.createObjectNode().put("name", name);
  }

  private static ArrayNode tags(Map<String, String> tags) {
    ArrayNode all = JSON.createArrayNode();
    tags.forEach((key, value) -> all.addObject().put("key", key).put("value", value));
    return all;
  }

  private JsonNode get(String path, Map<String, String> query) throws MlflowException {
    StringBuilder uri = new StringBuilder(api).append(path);
    char separator = '?';
    for (Map.Entry<String, String> each : query.entrySet()) {
      uri.append(separator)
          .append(each.getKey())
          .append('=')
          .append(URLEncoder.encode(each.getValue(), StandardCharsets.UTF_8));
      separator = '&';
    }
    return send(HttpRequest.newBuilder(URI.create(uri.toString())).GET());
  }

  private JsonNode post(String path, JsonNode body) throws MlflowException {
    return send("POST", path, body);
  }

  private JsonNode send(String method, String path, JsonNode body) throws MlflowException {
    return send(
        HttpRequest.newBuilder(URI.create(api + path))
            .header("Content-Type", "application/json")
            .method(method, BodyPublishers.ofString(body.toString())));
  }

  private JsonNode send(HttpRequest.Builder request) throws MlflowException {
    authorization.ifPresent(value -> request.header("Authorization", value));
    try {
      HttpResponse<String> answer =
          client.send(request.timeout(TIMEOUT).build(), BodyHandlers.ofString());
      return read(answer);
    } catch (IOException e) {
      throw new MlflowException(
          Kind.LATER,
          "",
          "it does not answer: " + Optional.ofNullable(e.getMessage()).orElse("" + e));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MlflowException(Kind.LATER, "", "interrupted");
    }
  }

  private static JsonNode read(HttpResponse<String> answer) throws MlflowException {
    JsonNode json;
    try {
      json = JSON.readTree(answer.body());
    } catch (JsonProcessingException e) {
      json = JSON.missingNode();
    }
    int status = answer.statusCode();
    if (status == 200 && json.isObject()) {
      return json;
    }
    String message = json.path("message").asText("");
    String code = json.path("error_code").asText("");
    throw new MlflowException(
        kind(status, code),
        code,
        message.isEmpty()
            ? "it answered %d %s".formatted(status, answer.uri().getPath())
            : message.strip());
  }

  /** Without a code the answer is not MLflow's, but of something that stands before it. */
  private static Kind kind(int status, String code) {
    return switch (status) {
      case 401, 403 -> Kind.NOT_ALLOWED;
      case 408, 429 -> Kind.LATER;
      default -> status >= 500 || code.isEmpty() ? Kind.LATER : Kind.REFUSED;
    };
  }
}
