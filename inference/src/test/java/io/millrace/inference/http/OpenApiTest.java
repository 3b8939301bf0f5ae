package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.client.settings.Settings;
import io.millrace.inference.ServingProcess;
import io.millrace.inference.ServingSettings;
import io.millrace.inference.TestAdapters;
import java.net.http.HttpClient;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What is described is there, and what is there is described. Answers are checked by {@link Api}.
 */
@Tag("integration")
class OpenApiTest {
  private static final Set<String> KEYS_OF_ENTRIES =
      Set.of("description", "content", "headers", "schema", "required");

  @TempDir static Path directory;
  private static ServingProcess process;
  private static Api api;

  @BeforeAll
  static void start() throws Exception {
    Settings settings =
        Settings.of(
            ServingSettings.ALL,
            null,
            List.of("model.store=" + TestAdapters.models(), "kafka.bootstrap.servers=127.0.0.1:1"));
    process = ServingProcess.listen(settings, directory, 0, notice -> {});
    api = new Api(process.port());
  }

  @AfterAll
  static void stop() {
    process.close();
  }

  @Test
  void itIsServedAsItIs() throws Exception {
    HttpResponse<String> response =
        HttpClient.newHttpClient()
            .send(api.request("/openapi.yaml").build(), BodyHandlers.ofString());

    ApiDescription.get().check(response);
    byte[] resource = getClass().getResourceAsStream("/openapi.yaml").readAllBytes();
    assertThat(response.body()).isEqualTo(new String(resource, UTF_8));
  }

  @Test
  void itDescribesExactlyTheRoutesThereAre() {
    Set<String> there = new TreeSet<>();
    process.routes().forEach((path, route) -> there.add(route.method() + " " + path));
    Set<String> described = new TreeSet<>();
    ApiDescription.get()
        .operations()
        .forEach(operation -> described.add(operation.method() + " " + operation.path()));

    assertThat(described).isEqualTo(there);
  }

  static Stream<ApiDescription.Operation> operations() {
    return ApiDescription.get().operations().stream();
  }

  @ParameterizedTest
  @MethodSource("operations")
  void whatItDescribesAnswersAndNothingElseDoes(ApiDescription.Operation operation)
      throws Exception {
    for (String method : List.of("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")) {
      HttpResponse<String> response =
          HttpClient.newHttpClient()
              .send(
                  api.request(operation.example())
                      .header("Content-Type", "application/json")
                      .method(
                          method,
                          method.equals("POST")
                              ? BodyPublishers.ofString("{}")
                              : BodyPublishers.noBody())
                      .build(),
                  BodyHandlers.ofString());
      ApiDescription.get().check(response);
      if (method.equals(operation.method())) {
        assertThat(response.statusCode()).isNotIn(404, 405);
      }
    }
  }

  @Test
  void everyReferenceLeadsSomewhereAndEverySchemaIsUsed() {
    JsonNode root = ApiDescription.get().root();
    Set<String> used = new TreeSet<>();
    root.findValuesAsText("$ref").forEach(used::add);
    for (String reference : used) {
      assertThat(root.at(reference.substring(1)).isMissingNode()).as(reference).isFalse();
    }
    for (String kind : List.of("schemas", "responses", "headers", "parameters")) {
      root.get("components")
          .get(kind)
          .fieldNames()
          .forEachRemaining(name -> assertThat(used).contains("#/components/" + kind + "/" + name));
    }
  }

  @Test
  void everyOperationHasANameASummaryAndAnswersThatSayWhen() {
    Set<String> names = new TreeSet<>();
    for (ApiDescription.Operation operation : ApiDescription.get().operations()) {
      assertThat(names.add(operation.description().get("operationId").asText())).isTrue();
      assertThat(operation.description().get("summary").asText()).endsWith(".");
      operation
          .description()
          .get("responses")
          .forEach(
              response -> {
                if (!response.has("$ref")) {
                  assertThat(response.get("description").asText()).isNotBlank();
                  response
                      .fieldNames()
                      .forEachRemaining(key -> assertThat(KEYS_OF_ENTRIES).contains(key));
                }
              });
    }
  }
}
