package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.networknt.schema.Error;
import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * {@code openapi.yaml}, taken at its word: an answer that it does not describe fails. It leaves
 * room for fields of later releases; here none is let through that it does not name.
 */
public final class ApiDescription {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final ApiDescription ONLY = new ApiDescription();

  private final ObjectNode root = read();
  private final SchemaRegistry registry =
      SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12);
  private final Map<JsonNode, Schema> schemas = new ConcurrentHashMap<>();

  /** What can be asked for. */
  record Operation(String method, String path, JsonNode description) {
    /** A path of it that can be asked for. */
    String example() {
      return ApiDescription.example(path);
    }
  }

  /** A path that can be asked for, of one with names of parameters. */
  static String example(String path) {
    return path.replace("{model}", "m").replace("{version}", "1").replace("{file}", "page.js");
  }

  private ApiDescription() {
    close(root.path("components").path("schemas"));
  }

  public static ApiDescription get() {
    return ONLY;
  }

  private static ObjectNode read() {
    try (InputStream in = ApiDescription.class.getResourceAsStream("/openapi.yaml")) {
      return (ObjectNode) new ObjectMapper(new YAMLFactory()).readTree(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void close(JsonNode schemas) {
    for (JsonNode schema : schemas) {
      if (schema.has("properties")) {
        ((ObjectNode) schema).put("additionalProperties", false);
        assertThat(schema.get("required")).as("required of %s", schema).isNotEmpty();
      }
    }
  }

  JsonNode root() {
    return root;
  }

  List<Operation> operations() {
    List<Operation> operations = new ArrayList<>();
    root.get("paths")
        .properties()
        .forEach(
            path ->
                path.getValue()
                    .properties()
                    .forEach(
                        method ->
                            operations.add(
                                new Operation(
                                    method.getKey().toUpperCase(Locale.ROOT),
                                    path.getKey(),
                                    method.getValue()))));
    return operations;
  }

  /** Fails where the description does not have this answer to this request. */
  public void check(HttpResponse<String> response) throws IOException {
    String method = response.request().method();
    String path = Routes.route(response.uri().getRawPath());
    JsonNode methods = root.get("paths").path(path);
    String asked = method.equals("HEAD") ? "get" : method.toLowerCase(Locale.ROOT);
    JsonNode error = components("schemas").get("Error");
    if (methods.isMissingNode()) {
      assertThat(response.statusCode())
          .as("of a path that is not described: %s", path)
          .isEqualTo(404);
      checkBody(error, response);
    } else if (!methods.has(asked)) {
      assertThat(response.statusCode()).as("%s %s", method, path).isEqualTo(405);
      assertThat(response.headers().firstValue("Allow").orElse("").toLowerCase(Locale.ROOT))
          .contains(methods.fieldNames().next());
      checkBody(error, response);
    } else {
      JsonNode described =
          methods.get(asked).get("responses").path(Integer.toString(response.statusCode()));
      assertThat(described.isMissingNode())
          .as("%s %s is not described to answer %d", method, path, response.statusCode())
          .isFalse();
      checkHeaders(resolved(described), response);
      checkContent(resolved(described), response);
    }
  }

  private void checkHeaders(JsonNode described, HttpResponse<String> response) {
    described
        .path("headers")
        .properties()
        .forEach(
            header -> {
              JsonNode value =
                  JsonNodeFactory.instance.textNode(
                      response.headers().firstValue(header.getKey()).orElse(null));
              assertThat(errors(resolved(header.getValue()).get("schema"), value))
                  .as("header %s of %s", header.getKey(), response)
                  .isEmpty();
            });
  }

  private void checkContent(JsonNode described, HttpResponse<String> response) throws IOException {
    String type = response.headers().firstValue("Content-Type").orElse("").split(";")[0].strip();
    JsonNode content = described.path("content").path(type);
    assertThat(content.isMissingNode()).as("%s as %s", response, type).isFalse();
    if (type.equals("application/json")) {
      checkBody(content.get("schema"), response);
    }
  }

  private void checkBody(JsonNode schema, HttpResponse<String> response) throws IOException {
    if (response.request().method().equals("HEAD")) {
      assertThat(response.body()).isEmpty();
      return;
    }
    assertThat(errors(schema, JSON.readTree(response.body())))
        .as("%s says %s", response, response.body())
        .isEmpty();
  }

  /** Fails where the description does not allow a body that was taken. */
  void checkTaken(String method, String path, byte[] body) throws IOException {
    JsonNode schema =
        root.get("paths")
            .path(Routes.route(path))
            .path(method.toLowerCase(Locale.ROOT))
            .at("/requestBody/content/application~1json/schema");
    ObjectNode open = JSON.createObjectNode();
    ArrayNode alternatives = open.putArray("anyOf");
    for (JsonNode each : schema.has("anyOf") ? schema.get("anyOf") : List.of(schema)) {
      ObjectNode alternative = resolved(each).deepCopy();
      alternative.remove("additionalProperties");
      alternatives.add(alternative);
    }
    assertThat(errors(open, JSON.readTree(body)))
        .as("%s %s takes %s", method, path, new String(body, UTF_8))
        .isEmpty();
  }

  private List<Error> errors(JsonNode schema, JsonNode value) {
    return schemas
        .computeIfAbsent(
            schema,
            part -> {
              ObjectNode whole = JSON.createObjectNode();
              whole.put("$schema", SpecificationVersion.DRAFT_2020_12.getDialectId());
              whole.set("components", root.get("components"));
              whole.putArray("allOf").add(part);
              return registry.getSchema(whole.toString(), InputFormat.JSON);
            })
        .validate(value.toString(), InputFormat.JSON);
  }

  private JsonNode resolved(JsonNode node) {
    return node.has("$ref") ? root.at(node.get("$ref").asText().substring(1)) : node;
  }

  private JsonNode components(String kind) {
    return root.get("components").get(kind);
  }
}
