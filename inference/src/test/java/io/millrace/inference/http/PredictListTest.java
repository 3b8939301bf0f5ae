package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.settings.Settings;
import io.millrace.inference.ServingProcess;
import io.millrace.inference.ServingSettings;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.metrics.Scrape;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Several texts in one request. */
@Tag("integration")
class PredictListTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final AdapterVersion FILMS = TestAdapters.version("films", 2, null);
  private static final AdapterVersion BOOKS = TestAdapters.version("books", 7, null);
  private static final int MAX_INPUTS = 40;

  @TempDir static Path directory;
  private static ServingProcess process;
  private static Api api;

  @BeforeAll
  static void start() throws Exception {
    try (AdapterStore store = AdapterStore.open(directory.resolve("adapters"))) {
      store.put(FILMS, new StreamOffset(0, 1));
      store.put(BOOKS, new StreamOffset(0, 2));
      store.put(TestAdapters.misfit("broken", 1), new StreamOffset(0, 3));
    }
    Settings settings =
        Settings.of(
            ServingSettings.ALL,
            null,
            List.of(
                "model.store=" + TestAdapters.models(),
                "serving.maxInputs=" + MAX_INPUTS,
                "kafka.bootstrap.servers=127.0.0.1:1"));
    process = ServingProcess.listen(settings, directory, 0, notice -> {});
    process.load((model, done, total) -> {});
    api = new Api(process.port());
  }

  @AfterAll
  static void stop() {
    process.close();
  }

  private static ObjectNode input(String domain, String text) {
    return JSON.createObjectNode().put("domain", domain).put("text", text);
  }

  private static Api.Reply post(ArrayNode inputs) throws Exception {
    ObjectNode body = JSON.createObjectNode();
    body.set("inputs", inputs);
    return api.post("/v1/predict", JSON.writeValueAsBytes(body));
  }

  @Test
  void eachIsAnsweredInItsPlaceAsIfItHadComeAlone() throws Exception {
    ArrayNode inputs = JSON.createArrayNode();
    for (int i = 0; i < 30; i++) {
      String domain = List.of("films", "books", "films/old", "nobody").get(i % 4);
      inputs.add(input(domain, "text number " + i).put("requestId", "list-1-" + i));
    }

    Api.Reply reply = post(inputs);

    assertThat(reply.status()).isEqualTo(200);
    JsonNode answers = reply.body().get("answers");
    assertThat(answers).hasSize(inputs.size());
    for (int i = 0; i < inputs.size(); i++) {
      JsonNode answer = answers.get(i);
      String domain = inputs.get(i).get("domain").asText();
      assertThat(answer.get("status").asInt()).isEqualTo(200);
      assertThat(answer.get("domain").asText()).isEqualTo(domain);
      assertThat(answer.get("requestId").asText()).isEqualTo("list-1-" + i);
      if (domain.equals("nobody")) {
        assertThat(answer.get("servedBy").asText()).isEqualTo("base");
        continue;
      }
      AdapterVersion version = domain.equals("books") ? BOOKS : FILMS;
      assertThat(answer.get("servedDomain").asText()).isEqualTo(version.getDomain());
      assertThat(answer.get("sha256").asText()).isEqualTo(version.getSha256());
      float[] expected = TestAdapters.logits(version, inputs.get(i).get("text").asText());
      for (int label = 0; label < expected.length; label++) {
        assertThat(answer.get("logits").get(TestAdapters.LABELS.get(label)).floatValue())
            .isCloseTo(expected[label], offset(TestAdapters.ROUNDING));
      }
    }
  }

  @Test
  void anErrorOfOneLeavesTheOthersAsTheyAre() throws Exception {
    api.post(
        "/v1/predict",
        "{\"domain\":\"films\",\"text\":\"x\",\"requestId\":\"in use\"}".getBytes(UTF_8));
    Scrape before = Scrape.of(process.port());
    ArrayNode inputs = JSON.createArrayNode();
    inputs.add(input("films", "a film").put("requestId", "twice"));
    inputs.add(input("films", " "));
    inputs.add(7);
    inputs.add(input("broken", "a film"));
    inputs.add(JSON.createObjectNode().put("text", "a film"));
    inputs.add(input("films", "another film").put("requestId", "twice"));
    inputs.add(input("films", "a film").put("requestId", "twice"));
    inputs.add(input("films", "another film").put("requestId", "in use"));
    inputs.add(input("books", "a book"));

    Api.Reply reply = post(inputs);

    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.body().get("answers").findValuesAsText("status"))
        .containsExactly("200", "400", "400", "503", "400", "409", "200", "409", "200");
    assertThat(reply.body().get("answers").findValuesAsText("error"))
        .contains(
            "\"text\" is blank",
            "an input must be a JSON object with the strings domain and text",
            "no version of domain \"broken\" is loaded",
            "\"domain\" is missing");
    Scrape after = Scrape.of(process.port());
    assertThat(after.value("millrace_inputs_total{status=\"409\"}")).isEqualTo(2);
    assertThat(after.value("millrace_predictions_total{by=\"domain\"}"))
        .isEqualTo(before.value("millrace_predictions_total{by=\"domain\"}") + 3);
  }

  @Test
  void whereNoneCanBeAnsweredForNowTheListIs503() throws Exception {
    ArrayNode inputs = JSON.createArrayNode();
    inputs.add(input("broken", "a film"));
    inputs.add(input("broken/part", "a film"));

    Api.Reply reply = post(inputs);

    assertThat(reply.status()).isEqualTo(503);
    assertThat(reply.response().headers().firstValue("Retry-After")).isPresent();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{\"inputs\": []} | has 0 elements; it must have 1 to 40",
        "{\"inputs\": {}} | \"inputs\" is not an array",
        "{\"inputs\": null} | \"inputs\" is not an array",
        "{\"inputs\": \"x\"} | \"inputs\" is not an array",
        "{\"inputs\": [{\"domain\":\"films\",\"text\":\"x\"}], \"text\": \"x\"} | either",
        "{\"input\": []} | \"domain\" is missing",
      })
  void whatIsNoListIs400(String body, String error) throws Exception {
    Api.Reply reply = api.post("/v1/predict", body.getBytes(UTF_8));

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.error()).contains(error);
  }

  @Test
  void noMoreInputsAreTakenThanMay() throws Exception {
    ArrayNode inputs = JSON.createArrayNode();
    for (int i = 0; i < MAX_INPUTS; i++) {
      inputs.add(input("films", "text " + i));
    }
    assertThat(post(inputs).body().get("answers")).hasSize(MAX_INPUTS);

    Api.Reply reply = post(inputs.add(input("films", "one more")));

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.error()).isEqualTo("\"inputs\" has 41 elements; it must have 1 to 40");
  }
}
