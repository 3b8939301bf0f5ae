package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.rollout.RolloutKind;
import io.millrace.client.settings.Settings;
import io.millrace.inference.ServingProcess;
import io.millrace.inference.ServingSettings;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.TestDecisions;
import io.millrace.inference.metrics.Scrape;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.LoggedEvent;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutDecisions;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each path of the Open Inference Protocol, as its clients ask for it. */
@Tag("integration")
class InferenceProtocolTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int MAX_INPUTS = 5;
  private static final String INFER = "/v2/models/films/infer";

  /** The stable version, and a candidate with half of the requests. */
  private static final List<AdapterVersion> FILMS = TestAdapters.chain("films", 2);

  private static final AdapterVersion ODD = TestAdapters.version("odd/infer 100%", 1, null);

  @TempDir static Path directory;
  private static ServingProcess process;
  private static Api api;

  @BeforeAll
  static void start() throws Exception {
    try (AdapterStore store = AdapterStore.open(directory.resolve("adapters"))) {
      store.put(ODD, new StreamOffset(0, 1));
      store.put(TestAdapters.misfit("broken", 1), new StreamOffset(0, 2));
      for (AdapterVersion version : FILMS) {
        store.put(version, new StreamOffset(0, 2 + version.getVersion()));
      }
      logFilms(store);
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

  /** Version 1 is stable, and version 2 answers half of the requests. */
  private static void logFilms(AdapterStore store) throws Exception {
    NavigableMap<Long, VersionRef> versions = new TreeMap<>();
    Rollout state = Rollout.initial("films");
    for (AdapterVersion version : FILMS) {
      RolloutEvent event = TestDecisions.published(version);
      log(store, RolloutKind.PUBLICATIONS, version.getVersion(), event);
      versions.put(version.getVersion(), TestDecisions.ref(version));
      state = state.apply(event);
    }
    RolloutEvent pin = new RolloutDecisions(state, versions, "ann", "").pin(1L);
    log(store, RolloutKind.DECISIONS, 1, pin);
    RolloutEvent canary =
        new RolloutDecisions(state.apply(pin), versions, "ann", "").canary(2L, 0.5);
    log(store, RolloutKind.DECISIONS, 2, canary);
  }

  private static void log(AdapterStore store, RolloutKind kind, long offset, RolloutEvent event) {
    store.putRolloutEvents(
        kind, List.of(new LoggedEvent(0, offset, Instant.EPOCH, event)), Map.of(0, offset + 1));
  }

  @AfterAll
  static void stop() {
    process.close();
  }

  private static ObjectNode request(String... texts) {
    ObjectNode request = JSON.createObjectNode();
    ObjectNode input = request.putArray("inputs").addObject();
    input.put("name", "text").put("datatype", "BYTES").putArray("shape").add(texts.length);
    ArrayNode data = input.putArray("data");
    for (String text : texts) {
      data.add(text);
    }
    return request;
  }

  private static Api.Reply infer(String path, JsonNode request) throws Exception {
    return api.post(path, JSON.writeValueAsBytes(request));
  }

  /** An output of an answer, by name. */
  private static JsonNode output(Api.Reply reply, String name) {
    for (JsonNode output : reply.body().get("outputs")) {
      if (output.get("name").asText().equals(name)) {
        return output;
      }
    }
    throw new AssertionError("no output " + name + " in " + reply.body());
  }

  private static void assertLogits(JsonNode output, AdapterVersion version, String... texts) {
    assertThat(output.get("datatype").asText()).isEqualTo("FP32");
    assertThat(output.get("shape").toString()).isEqualTo("[" + texts.length + ",3]");
    int at = 0;
    for (String text : texts) {
      for (float expected : TestAdapters.logits(version, text)) {
        assertThat(output.get("data").get(at++).floatValue())
            .isCloseTo(expected, offset(TestAdapters.ROUNDING));
      }
    }
    assertThat(output.get("data")).hasSize(at);
  }

  @Test
  void theServerSaysWhatItIsAndThatItIsUp() throws Exception {
    JsonNode server = api.get("/v2").body();
    assertThat(server.get("name").asText()).isEqualTo("millrace");
    assertThat(server.get("version").asText()).matches("\\d+\\.\\d+.*");
    assertThat(server.get("extensions")).isEmpty();
    assertThat(api.get("/v2/health/live").body().get("live").asBoolean()).isTrue();
    // Kafka cannot be reached.
    Api.Reply ready = api.get("/v2/health/ready");
    assertThat(ready.status()).isEqualTo(503);
    assertThat(ready.body().get("ready").asBoolean()).isFalse();
  }

  @Test
  void aModelsVersionsAreThoseThatServe() throws Exception {
    JsonNode model = api.get("/v2/models/films").body();

    assertThat(model.get("name").asText()).isEqualTo("films");
    assertThat(model.get("versions").toString()).isEqualTo("[\"1\",\"2\"]");
    assertThat(model.get("inputs").toString())
        .isEqualTo("[{\"name\":\"text\",\"datatype\":\"BYTES\",\"shape\":[-1]}]");
    assertThat(model.get("outputs").findValuesAsText("name"))
        .containsExactly("label", "probabilities", "logits", "labels", "request_id");
    assertThat(model.get("outputs").get(1).get("shape").toString()).isEqualTo("[-1,3]");
    assertThat(api.get("/v2/models/films/versions/2").body().get("versions").toString())
        .isEqualTo("[\"2\"]");
    assertThat(api.get("/v2/models/films/ready").body().get("ready").asBoolean()).isTrue();
    assertThat(api.get("/v2/models/films/versions/1/ready").status()).isEqualTo(200);
    assertThat(api.get("/v2/models/films/versions/3/ready").status()).isEqualTo(404);
    assertThat(api.get("/v2/models/broken").body().get("versions")).isEmpty();
    assertThat(api.get("/v2/models/broken/ready").status()).isEqualTo(503);
    assertThat(api.get("/v2/models/nobody").error()).contains("unknown model \"nobody\"");
    assertThat(api.get("/v2/models/nobody/ready").status()).isEqualTo(404);
  }

  @Test
  void aTextIsScoredByTheVersionThatIsAskedFor() throws Exception {
    for (AdapterVersion version : FILMS) {
      String path = "/v2/models/films/versions/" + version.getVersion() + "/infer";

      Api.Reply reply = infer(path, request("a film", "another").put("id", "an id"));

      assertThat(reply.status()).isEqualTo(200);
      JsonNode body = reply.body();
      assertThat(body.get("model_name").asText()).isEqualTo("films");
      assertThat(body.get("model_version").asLong()).isEqualTo(version.getVersion());
      assertThat(body.get("id").asText()).isEqualTo("an id");
      assertThat(body.at("/parameters/sha256").asText()).isEqualTo(version.getSha256());
      assertThat(body.at("/parameters/servedBy").asText()).isEqualTo("domain");
      assertLogits(output(reply, "logits"), version, "a film", "another");
      assertThat(JSON.convertValue(output(reply, "labels").get("data"), List.class))
          .isEqualTo(TestAdapters.LABELS);
      assertThat(output(reply, "label").get("data"))
          .allMatch(label -> TestAdapters.LABELS.contains(label.asText()));
      double sum = 0;
      for (JsonNode probability : output(reply, "probabilities").get("data")) {
        sum += probability.asDouble();
      }
      assertThat(sum).isCloseTo(2, offset(1e-9));
    }
    Api.Reply other = infer("/v2/models/films/versions/3/infer", request("a film"));
    assertThat(other.status()).isEqualTo(404);
    assertThat(other.error()).isEqualTo("version 3 of domain \"films\" does not serve here");
    Api.Reply above = infer("/v2/models/films/old/versions/1/infer", request("a film"));
    assertThat(above.status()).as("a version of a domain above is not one of this").isEqualTo(404);
  }

  @Test
  void withoutAVersionTheRolloutDecidesByTheKey() throws Exception {
    Set<String> answered = new HashSet<>();
    for (int i = 0; i < 40; i++) {
      ObjectNode keyed = request("a film", "another");
      keyed.putObject("parameters").put("key", "key " + i);
      Api.Reply reply = infer(INFER, keyed);
      String version = reply.body().get("model_version").asText();
      answered.add(version);
      assertThat(infer(INFER, keyed).body().get("model_version").asText()).isEqualTo(version);
      ObjectNode v1 = JSON.createObjectNode().put("domain", "films").put("text", "x");
      assertThat(infer("/v1/predict", v1.put("key", "key " + i)).body().get("version").asText())
          .isEqualTo(version);
    }
    assertThat(answered).containsExactlyInAnyOrder("1", "2");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/v2/models/odd/infer%20100%25/infer",
        "/v2/models/odd%2Finfer%20100%25/infer",
        "/v2/models/odd%2finfer%20100%25/versions/1/infer"
      })
  void aDomainsNameIsFoundHoweverItIsEncoded(String path) throws Exception {
    Api.Reply reply = infer(path, request("a text"));

    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.body().get("model_name").asText()).isEqualTo(ODD.getDomain());
    assertThat(reply.body().at("/parameters/sha256").asText()).isEqualTo(ODD.getSha256());
  }

  @Test
  void aDomainAboveAnswersWhereThereIsOneAndTheBaseModelNever() throws Exception {
    Api.Reply reply = infer("/v2/models/films/old/infer", request("a film"));
    assertThat(reply.body().get("model_name").asText()).isEqualTo("films/old");
    assertThat(reply.body().at("/parameters/servedBy").asText()).isEqualTo("parent");
    assertThat(reply.body().at("/parameters/servedDomain").asText()).isEqualTo("films");

    Api.Reply nobody = infer("/v2/models/nobody/infer", request("a film"));
    assertThat(nobody.status()).isEqualTo(404);
    assertThat(nobody.error()).contains("unknown model \"nobody\"");
    Api.Reply broken = infer("/v2/models/broken/infer", request("a film"));
    assertThat(broken.status()).isEqualTo(503);
    assertThat(broken.response().headers().firstValue("Retry-After")).isPresent();
  }

  @Test
  void onlyTheOutputsThatAreAskedForCome() throws Exception {
    ObjectNode request = request("a film");
    request.putArray("outputs").addObject().put("name", "label");

    assertThat(infer(INFER, request).body().get("outputs").findValuesAsText("name"))
        .containsExactly("label");
  }

  @Test
  void feedbackFindsWhatWasAnswered() throws Exception {
    Api.Reply reply = infer(INFER, request("a film", "another"));
    JsonNode ids = output(reply, "request_id").get("data");

    assertThat(ids).hasSize(2);
    for (JsonNode id : ids) {
      // It is known; Kafka cannot be reached.
      assertThat(api.feedback(id.asText(), "good").status()).isEqualTo(503);
    }
    assertThat(api.feedback("none", "good").status()).isEqualTo(404);
  }

  @Test
  void aColumnOfTextsIsTakenAsWell() throws Exception {
    ObjectNode request = request("a film");
    ObjectNode input = (ObjectNode) request.at("/inputs/0");
    input.putArray("shape").add(2).add(1);
    ArrayNode data = input.putArray("data");
    data.addArray().add("a film");
    data.addArray().add("another");
    request.putObject("parameters").put("binary_data_output", true);

    Api.Reply reply = infer("/v2/models/films/versions/1/infer", request);

    assertLogits(output(reply, "logits"), FILMS.get(0), "a film", "another");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{} | \"inputs\" is not an array",
        "{'inputs': []} | \"inputs\" has 0 elements; it must have 1 to 1",
        "{'inputs': [7]} | must be a JSON object with name, shape, datatype and data",
        "{'inputs': [{'name':'x'}]} | unknown input \"x\": the one input is \"text\"",
        "{'inputs': [{'name':'text','datatype':'FP32'}]} | has datatype FP32; it must be BYTES",
        "{'inputs': [{'name':'text','datatype':'BYTES','data':['a']}]} | \"shape\" is not an array",
        "{'inputs': [{'name':'text','datatype':'BYTES','shape':[1,2],'data':['a']}]} | must be [texts] or [texts, 1]",
        "{'inputs': [{'name':'text','datatype':'BYTES','shape':[2],'data':['a']}]} | has 1 values, and a shape for 2",
        "{'inputs': [{'name':'text','datatype':'BYTES','shape':['1'],'data':['a']}]} | must be [texts]",
        "{'inputs': [{'name':'text','datatype':'BYTES','shape':[1],'data':[7]}]} | \"text\" is not a string",
        "{'inputs': [{'name':'text','datatype':'BYTES','shape':[1],'data':[['a','b']]}]} | \"text\" is not a string",
        "{'inputs': [{'name':'text','datatype':'BYTES','shape':[1],'data':[' ']}]} | \"text\" is blank",
        "{'inputs': [{'name':'text','datatype':'BYTES','shape':[6],'data':[1,2,3,4,5,6]}]} | it must have 1 to 5",
        "{'inputs': [{'name':'text','datatype':'BYTES','shape':[1],'data':['a']}], 'outputs':[{'name':'x'}]} | unknown output \"x\"",
        "{'inputs': [{'name':'text','datatype':'BYTES','shape':[1],'data':['a']}], 'parameters': 7} | \"parameters\" is not an object",
        "{'inputs': [{'name':'text','datatype':'BYTES','shape':[1],'data':['a']}], 'id': 7} | \"id\" is not a string",
        "[] | the body must be a JSON object with the array inputs"
      })
  void whatTheProtocolDoesNotHaveIs400(String body, String error) throws Exception {
    Api.Reply reply = api.post(INFER, body.replace('\'', '"').getBytes(UTF_8));

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.error()).contains(error);
  }

  @Test
  void tensorsBehindTheJsonAre400() throws Exception {
    Api.Reply reply =
        api.send(
            api.request(INFER)
                .header("Content-Type", "application/json")
                .header("Inference-Header-Content-Length", "5"),
            JSON.writeValueAsBytes(request("a film")));

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.error()).contains("no binary tensor data extension");
  }

  /** What no client library sends. */
  @ParameterizedTest
  @ValueSource(strings = {"/v2/models/%FF", "/v2/models/%ZZ/infer", "/v2/models/a%", "/v2/models/"})
  void aNameThatCannotBeDecodedIsTheClientsMistake(String path) throws Exception {
    try (Socket socket = new Socket("127.0.0.1", process.port())) {
      String request = "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
      socket.getOutputStream().write(request.getBytes(UTF_8));

      String answer = new String(socket.getInputStream().readAllBytes(), UTF_8);

      assertThat(answer).containsPattern("^HTTP/1\\.1 40[04] ").contains("\"error\":");
    }
  }

  @Test
  void namesOfModelsComeInPages() throws Exception {
    List<String> names = new ArrayList<>();
    JsonNode page = api.get("/v1/models?limit=2").body();
    page.get("models").forEach(name -> names.add(name.asText()));
    assertThat(page.get("next").asText()).isEqualTo("films");
    page = api.get("/v1/models?limit=2&after=films").body();
    page.get("models").forEach(name -> names.add(name.asText()));
    assertThat(page.get("next").isNull()).isTrue();

    assertThat(names).containsExactly("broken", "films", ODD.getDomain());
    assertThat(api.get("/v1/models?prefix=o").body().get("models")).hasSize(1);
    assertThat(api.get("/v1/models?limit=0").status()).isEqualTo(400);
  }

  /** A client may ask for any number of models. */
  @Test
  void metricsHaveOneEndpointForAllModels() throws Exception {
    String counter = "millrace_requests_total{endpoint=\"/v2/models/{model}\",status=\"404\"}";
    Scrape before = Scrape.of(process.port());
    for (int i = 0; i < 3; i++) {
      api.get("/v2/models/none-" + i);
    }
    assertThat(Scrape.of(process.port()).value(counter)).isEqualTo(before.value(counter) + 3);
  }
}
