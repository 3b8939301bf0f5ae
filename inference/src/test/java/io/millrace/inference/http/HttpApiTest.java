package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.inference.ServingProcess;
import io.millrace.inference.ServingSettings;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.predict.Fallback;
import io.millrace.inference.predict.Prediction;
import io.millrace.inference.predict.Predictor;
import io.millrace.inference.serving.AdapterCatalog;
import io.millrace.inference.serving.AdapterLoader;
import io.millrace.inference.serving.Merger;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import io.millrace.testing.Await;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The HTTP service over a filled store, with no Kafka anywhere. */
@Tag("integration")
class HttpApiTest {
  private static final ServingMetrics METRICS = new ServingMetrics();
  private static final List<AdapterVersion> CHAIN = TestAdapters.chain("films", 2);
  private static final int MAX_BYTES = 20_000;

  @TempDir static Path directory;
  private static ServingProcess process;
  private static Api api;

  @BeforeAll
  static void start() throws Exception {
    try (AdapterStore store = AdapterStore.open(directory.resolve("adapters"))) {
      store.put(CHAIN.get(0), new StreamOffset(0, 1));
      store.put(CHAIN.get(1), new StreamOffset(0, 2));
      store.put(TestAdapters.misfit("books", 1), new StreamOffset(0, 3));
    }
    process = ServingProcess.listen(settings(), directory, 0, notice -> {});
    process.load((model, done, total) -> {});
    api = new Api(process.port());
    Await.until(
        "both domains are loaded",
        () ->
            api.domain("films").get("serving").get("loaded").asBoolean()
                && !api.domain("books").get("refusals").isEmpty());
  }

  @AfterAll
  static void stop() {
    process.close();
  }

  private static Settings settings() {
    return Settings.of(
        ServingSettings.ALL,
        null,
        List.of(
            "model.store=" + TestAdapters.models(),
            "serving.maxRequestBytes=" + MAX_BYTES,
            "kafka.bootstrap.servers=127.0.0.1:1"));
  }

  @Test
  void aPredictionNamesItsVersion() throws Exception {
    Api.Reply reply = api.predict("films", "a fine film");

    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.body().get("domain").asText()).isEqualTo("films");
    assertThat(reply.body().get("version").asLong()).isEqualTo(2);
    assertThat(reply.body().get("sha256").asText()).isEqualTo(CHAIN.get(1).getSha256());
    assertThat(reply.body().get("requestId").asText()).matches("[0-9a-f-]{36}");
    float[] logits = TestAdapters.logits(CHAIN.get(1), "a fine film");
    assertThat(Api.logits(reply, TestAdapters.LABELS))
        .containsExactly(logits, offset(TestAdapters.ROUNDING));
  }

  @Test
  void probabilitiesAreTheSoftmaxOfTheLogits() throws Exception {
    JsonNode body = api.predict("films", "it rained").body();

    double sum = 0;
    for (String label : TestAdapters.LABELS) {
      sum += Math.exp(body.get("logits").get(label).asDouble());
    }
    for (String label : TestAdapters.LABELS) {
      double logit = body.get("logits").get(label).asDouble();
      double probability = body.get("probabilities").get(label).asDouble();
      assertThat(probability).isCloseTo(Math.exp(logit) / sum, within(1e-6));
      assertThat(body.get("probabilities").get(body.get("label").asText()).asDouble())
          .isGreaterThanOrEqualTo(probability);
    }
  }

  @Test
  void aRequestIdComesBack() throws Exception {
    byte[] body =
        "{\"requestId\":\"r-\u00e9\",\"domain\":\"films\",\"text\":\"x\"}".getBytes(UTF_8);

    assertThat(api.post("/v1/predict", body).body().get("requestId").asText())
        .isEqualTo("r-\u00e9");
  }

  @Test
  void aDomainWithoutALoadedVersionIs503() throws Exception {
    Api.Reply reply = api.predict("books", "x");

    assertThat(reply.status()).isEqualTo(503);
    assertThat(reply.error()).isEqualTo("no version of domain \"books\" is loaded");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "no json",
        "[]",
        "null",
        "{\"domain\":\"films\"",
        "{\"domain\":\"films\",\"text\":\"x\"} {}",
        "{\"domain\":\"films\",\"domain\":\"films\",\"text\":\"x\"}",
        "{\"text\":\"x\"}",
        "{\"domain\":\"films\"}",
        "{\"domain\":\"films\",\"text\":null}",
        "{\"domain\":\"films\",\"text\":7}",
        "{\"domain\":[\"films\"],\"text\":\"x\"}",
        "{\"domain\":\"films\",\"text\":\" \\n\\t \"}",
        "{\"domain\":\"\",\"text\":\"x\"}",
        "{\"domain\":\"films\",\"text\":\"a\\u0000b\"}",
        "{\"domain\":\"films\",\"text\":\"a\\ud83db\"}",
        "{\"domain\":\"films\",\"text\":\"x\",\"requestId\":7}",
      })
  void aBadBodyIs400(String body) throws Exception {
    Api.Reply reply = api.post("/v1/predict", body.getBytes(UTF_8));

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.error()).isNotBlank();
  }

  @Test
  void bytesThatAreNoUtf8Are400() throws Exception {
    byte[] body = "{\"domain\":\"films\",\"text\":\"x\"}".getBytes(UTF_8);
    body[body.length - 3] = (byte) 0xff;

    assertThat(api.post("/v1/predict", body).status()).isEqualTo(400);
  }

  @Test
  void deepNestingIs400() throws Exception {
    String body = "{\"domain\":\"films\",\"text\":\"x\",\"deep\":" + "[".repeat(5000);

    assertThat(api.post("/v1/predict", body.getBytes(UTF_8)).status()).isEqualTo(400);
  }

  @ParameterizedTest
  @ValueSource(strings = {"overlong-text.body", "utf16.body"})
  void bytesThatAnotherReaderWouldReadOtherwiseAre400(String file) throws Exception {
    byte[] body = getClass().getResourceAsStream(file).readAllBytes();

    Api.Reply reply = api.post("/v1/predict", body);

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.error()).isEqualTo("the body is not UTF-8");
    assertThat(api.post("/v1/feedback", body).status()).isEqualTo(400);
  }

  @ParameterizedTest
  @ValueSource(strings = {"UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"})
  void jsonInAnotherEncodingIs400WithoutAByteOrderMark(String encoding) throws Exception {
    byte[] body = "{\"domain\":\"films\",\"text\":\"x\"}".getBytes(encoding);

    assertThat(api.post("/v1/predict", body).status()).isEqualTo(400);
  }

  @Test
  void aByteOrderMarkIsSkipped() throws Exception {
    byte[] body = "\ufeff{\"domain\":\"films\",\"text\":\"x\"}".getBytes(UTF_8);

    assertThat(api.post("/v1/predict", body).status()).isEqualTo(200);
  }

  @Test
  void aBodyOverTheLimitIs413WhetherItsLengthIsToldOrNot() throws Exception {
    byte[] body = new byte[MAX_BYTES + 1];
    InputStream unknownLength = new ByteArrayInputStream(body);

    assertThat(api.post("/v1/predict", body).status()).isEqualTo(413);
    assertThat(api.post("/v1/predict", BodyPublishers.ofInputStream(() -> unknownLength)).status())
        .isEqualTo(413);
    assertThat(api.predict("films", "x".repeat(MAX_BYTES - 100)).status()).isEqualTo(200);
  }

  @ParameterizedTest
  @CsvSource({
    "GET, /v1/predict, 'POST'",
    "PUT, /v1/predict, 'POST'",
    "POST, /v1/adapters, 'GET, HEAD'",
    "DELETE, /health/live, 'GET, HEAD'",
  })
  void aWrongMethodIs405AndTheRightOneIsNamed(String method, String path, String allowed)
      throws Exception {
    Api.Reply reply = api.send(api.request(path).method(method, BodyPublishers.noBody()));

    assertThat(reply.status()).isEqualTo(405);
    assertThat(reply.response().headers().firstValue("Allow")).contains(allowed);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/v1",
        "/page/",
        "/page/other.js",
        "/page/a/b",
        "/page/..%2Fopenapi.yaml",
        "/v1/predict/",
        "/v1/%70redict/..",
        "/favicon.ico"
      })
  void anUnknownPathIs404(String path) throws Exception {
    assertThat(api.get(path).status()).isEqualTo(404);
  }

  @Test
  void adaptersListsWhatIsThereWhatServesAndWhatWasRefused() throws Exception {
    Instant before = Instant.now();
    JsonNode films = api.domain("films");

    assertThat(films.get("serving").get("version").asLong()).isEqualTo(2);
    assertThat(films.get("serving").get("sha256").asText()).isEqualTo(CHAIN.get(1).getSha256());
    assertThat(films.get("serving").get("labels")).hasSize(3);
    assertThat(Instant.parse(films.get("serving").get("liveAt").asText())).isBefore(before);
    JsonNode first = films.get("versions").get(0);
    assertThat(first.get("sha256").asText()).isEqualTo(CHAIN.get(0).getSha256());
    assertThat(first.get("parentSha256").isNull()).isTrue();
    assertThat(first.get("steps").asLong()).isEqualTo(10);
    assertThat(first.get("examples").asLong()).isEqualTo(160);
    assertThat(first.get("createdAt").asText()).isEqualTo("2023-11-14T22:13:20.001Z");
    assertThat(first.get("liveAt").isNull()).isTrue();
    assertThat(films.get("refusals")).isEmpty();

    JsonNode books = api.domain("books");
    assertThat(books.get("serving").isNull()).isTrue();
    assertThat(books.get("refusals").get(0).get("reason").asText()).contains("singular basis");
    assertThat(api.get("/v1/adapters").body().get("domains")).hasSize(2);
  }

  @Test
  void withoutKafkaItServesWhatItHasAndSaysItIsNotReady() throws Exception {
    assertThat(api.get("/health/live").status()).isEqualTo(200);
    Await.until(
        "the reason is Kafka",
        () -> api.get("/health/ready").body().get("reasons").toString().contains("127.0.0.1:1"));
    Api.Reply ready = api.get("/health/ready");
    assertThat(ready.status()).isEqualTo(503);
    assertThat(ready.body().get("ready").asBoolean()).isFalse();
    assertThat(ready.body().get("refused").asInt()).isEqualTo(1);
  }

  @Test
  void nothingTellsWhatServerThisIs() throws Exception {
    Map<String, List<String>> headers = api.get("/health/live").response().headers().map();

    assertThat(headers).doesNotContainKeys("server", "Server", "x-powered-by");
    assertThat(headers.get("content-type")).containsExactly("application/json");
  }

  @Test
  void aConnectionIsKeptForTheNextRequest() throws Exception {
    try (Socket socket = new Socket("127.0.0.1", process.port())) {
      for (int i = 0; i < 3; i++) {
        send(socket, "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assertThat(statusLine(socket)).isEqualTo("HTTP/1.1 200 OK");
        readPast(socket, "{\"live\":true}");
      }
    }
  }

  @Test
  void whatIsNoHttpIsAnsweredInJsonAllTheSame() throws Exception {
    try (Socket socket = new Socket("127.0.0.1", process.port())) {
      send(socket, "GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n");

      assertThat(statusLine(socket)).startsWith("HTTP/1.1 400");
      readPast(socket, "{\"error\":\"bad request: Illegal character CNTL=0x0\"}");
    }
  }

  @Test
  void slowClientsDelayNobody() throws Exception {
    List<Socket> slow = new ArrayList<>();
    try {
      for (int i = 0; i < 100; i++) {
        Socket socket = new Socket("127.0.0.1", process.port());
        slow.add(socket);
        send(
            socket,
            "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{");
      }
      assertThat(api.predict("films", "x").status()).isEqualTo(200);
    } finally {
      for (Socket socket : slow) {
        socket.close();
      }
    }
  }

  @Test
  void aBodyThatTricklesInForeverIs408() throws Exception {
    Predictor none =
        new Predictor(
            new AdapterCatalog(null, new Merger(0, METRICS), METRICS),
            1,
            1,
            1,
            Fallback.PARENT,
            METRICS);
    Endpoint impatient =
        new PredictEndpoint(
            none,
            new RequestBody(1000, Duration.ofMillis(200)),
            1,
            new ServingMetrics(),
            request -> false,
            (request, prediction) -> true);
    HttpService service =
        HttpService.start(
            "127.0.0.1",
            0,
            Map.of("/", new Routes.Route("POST", impatient)),
            new WebAccess("127.0.0.1"),
            new ServingMetrics());
    try (Socket socket = new Socket("127.0.0.1", service.port())) {
      send(
          socket,
          "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{");

      assertThat(statusLine(socket)).isEqualTo("HTTP/1.1 408 Request Timeout");
      readPast(socket, "{\"error\":\"the body did not arrive in time\"}");
      assertThat(socket.getInputStream().read()).isEqualTo(-1);
    } finally {
      service.stop(Duration.ofSeconds(1));
    }
  }

  @Test
  void manyRequestsAtOnceAreAllAnswered() throws Exception {
    float[] expected = TestAdapters.logits(CHAIN.get(1), "at once");
    ExecutorService clients = Executors.newFixedThreadPool(16);
    try {
      List<Future<Api.Reply>> replies = new ArrayList<>();
      for (int i = 0; i < 200; i++) {
        replies.add(clients.submit(() -> api.predict("films", "at once")));
      }
      for (Future<Api.Reply> reply : replies) {
        // Not to the bit: some were merged, and some scored together.
        assertThat(Api.logits(reply.get(), TestAdapters.LABELS))
            .containsExactly(expected, offset(TestAdapters.ROUNDING));
      }
    } finally {
      clients.shutdownNow();
    }
  }

  @Test
  void requestsInFlightAreAnsweredBeforeTheEnd(@TempDir Path other) throws Exception {
    try (AdapterStore store = AdapterStore.open(other.resolve("adapters"))) {
      store.put(CHAIN.get(0), new StreamOffset(0, 1));
    }
    ServingProcess ending = ServingProcess.listen(settings(), other, 0, notice -> {});
    ending.load((model, done, total) -> {});
    Api client = new Api(ending.port());
    ExecutorService clients = Executors.newFixedThreadPool(30);
    List<Future<Integer>> statuses = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      statuses.add(clients.submit(() -> client.predict("films", "x ".repeat(100)).status()));
    }
    statuses.get(0).get();

    ending.close();

    clients.shutdown();
    int answered = 0;
    for (Future<Integer> status : statuses) {
      try {
        assertThat(status.get()).isIn(200, 503);
        answered++;
      } catch (ExecutionException e) {
        // It came too late to be let in.
        assertThat(e).hasCauseInstanceOf(IOException.class);
      }
    }
    assertThat(answered).isPositive();
    AdapterStore.open(other.resolve("adapters")).close();
  }

  @Test
  void moreThanMayWaitAreToldToComeAgain() throws Exception {
    AdapterStore store = AdapterStore.open(directory.resolve("other"));
    store.put(CHAIN.get(0), new StreamOffset(0, 1));
    AdapterCatalog catalog = new AdapterCatalog(store, new Merger(0, METRICS), METRICS);
    catalog.load(new AdapterLoader(store, TestAdapters.base()));
    Predictor predictor = new Predictor(catalog, 1, 1, 16, Fallback.PARENT, METRICS);
    List<CompletableFuture<Prediction>> predictions = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      predictions.add(predictor.predict("films", "x ".repeat(100), "a key"));
    }

    assertThat(predictor.close(Duration.ofSeconds(20))).isTrue();
    assertThat(predictions)
        .allMatch(CompletableFuture::isDone)
        .anyMatch(prediction -> !prediction.isCompletedExceptionally())
        .anySatisfy(
            prediction ->
                assertThatThrownBy(prediction::join)
                    .hasRootCauseMessage("too many predictions are waiting; try again"));
    catalog.close();
    store.close();
  }

  @Test
  void aTakenPortIsTheUsersMistakeInOneLine(@TempDir Path other) {
    assertThatThrownBy(() -> ServingProcess.listen(settings(), other, process.port(), notice -> {}))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("cannot listen on 127.0.0.1:" + process.port())
        .hasMessageContaining("in use");
  }

  private static void send(Socket socket, String text) throws Exception {
    socket.setSoTimeout((int) Duration.ofSeconds(20).toMillis());
    OutputStream out = socket.getOutputStream();
    out.write(text.getBytes(UTF_8));
    out.flush();
  }

  private static String statusLine(Socket socket) throws Exception {
    return readPast(socket, "\r\n").strip();
  }

  private static String readPast(Socket socket, String end) throws Exception {
    StringBuilder read = new StringBuilder();
    while (read.indexOf(end) < 0) {
      int next = socket.getInputStream().read();
      assertThat(next).as("after %s", read).isGreaterThanOrEqualTo(0);
      read.append((char) next);
    }
    return read.toString();
  }
}
