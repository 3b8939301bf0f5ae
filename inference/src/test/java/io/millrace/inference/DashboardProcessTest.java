package io.millrace.inference;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import io.millrace.testing.StubRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The page in a process of its own, between its clients and a serving process with tokens. */
@Tag("integration")
@ExtendWith(Services.class)
class DashboardProcessTest {
  private static final int PARTITIONS = 2;
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir static Path directory;
  private static KafkaBroker broker;
  private static StubRegistry registry;
  private static TestPublisher publisher;
  private static TestProgress progress;
  private static ServingProcess serving;
  private static DashboardProcess page;
  private static int gone;

  @BeforeAll
  static void start(KafkaBroker kafka, StubRegistry schemas) throws Exception {
    broker = kafka;
    registry = schemas;
    TestTopics.createAdapters(broker, PARTITIONS);
    TestTopics.createRollouts(broker, PARTITIONS);
    broker.create(Topics.TRAINING_PROGRESS, PARTITIONS, Map.of());
    broker.create(Topics.DEAD_LETTERS, 1, Map.of());
    Settings plain = settings(ServingSettings.ALL);
    publisher = new TestPublisher(plain, PARTITIONS);
    progress = new TestProgress(plain);
    serving =
        ServingProcess.listen(
            settings(
                ServingSettings.ALL,
                "model.store=" + TestAdapters.models(),
                "serving.rolloutToken=decide",
                "serving.tokens.predict=see"),
            directory,
            0,
            notice -> {});
    serving.load((model, done, total) -> {});
    gone = 1;
    page =
        DashboardProcess.start(
            settings(
                DashboardSettings.ALL,
                "serving.tokens.predict=see",
                "dashboard.serving=http://127.0.0.1:%d,http://127.0.0.1:%d"
                    .formatted(gone, serving.port())),
            0);
  }

  @AfterAll
  static void stop() {
    page.close();
    serving.close();
    progress.close();
    publisher.close();
  }

  private static Settings settings(List<Setting<?>> declared, String... more) {
    List<String> sets =
        new ArrayList<>(
            List.of(
                "kafka.bootstrap.servers=" + broker.bootstrapServers(),
                "schema.registry.url=" + registry.url()));
    sets.addAll(List.of(more));
    return Settings.of(declared, null, sets);
  }

  private static HttpResponse<String> ask(String path, String token, String body) throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + page.port() + path));
    if (token != null) {
      request.header("Authorization", "Bearer " + token);
    }
    if (body != null) {
      request.header("Content-Type", "application/json").POST(BodyPublishers.ofString(body));
    }
    return HttpClient.newHttpClient().send(request.build(), BodyHandlers.ofString());
  }

  private static JsonNode seen(String query) throws Exception {
    HttpResponse<String> response = ask("/v1/dashboard?" + query, "see", null);
    assertThat(response.statusCode()).isEqualTo(200);
    return JSON.readTree(response.body());
  }

  @Test
  void thePageIsForEverybodyAndWhatItShowsForThoseWithTheToken() throws Exception {
    HttpResponse<String> html = ask("/", null, null);
    assertThat(html.statusCode()).isEqualTo(200);
    assertThat(html.headers().firstValue("Content-Security-Policy").orElseThrow())
        .startsWith("default-src 'none'; script-src 'self'; style-src 'self'")
        .doesNotContain("unsafe");
    assertThat(html.headers().firstValue("X-Content-Type-Options")).hasValue("nosniff");

    for (String path : List.of("/v1/dashboard", "/page/events")) {
      assertThat(ask(path, null, null).statusCode()).isEqualTo(401);
      assertThat(ask(path, "decide", null).statusCode()).isEqualTo(401);
    }
    assertThat(seen("page=0").path("list").isObject()).isTrue();
  }

  @Test
  void aBrowserAsksAgainAndIsNotSentTheSameAgain() throws Exception {
    String tag = ask("/page/page.js", null, null).headers().firstValue("ETag").orElseThrow();
    HttpRequest again =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + page.port() + "/page/page.js"))
            .header("If-None-Match", tag)
            .build();

    HttpResponse<String> response = HttpClient.newHttpClient().send(again, BodyHandlers.ofString());

    assertThat(response.statusCode()).isEqualTo(304);
    assertThat(response.body()).isEmpty();
  }

  @Test
  void decisionsAndTextsGoToTheFirstServingProcessThatIsThere() throws Exception {
    publisher.publishWithEvents(TestAdapters.chain("books", 2));
    Await.until(
        "version 2 serves",
        () ->
            seen("domain=books").at("/domain/replicas/1/serving/version").asInt() == 2
                && seen("domain=books").at("/domain/rollout/stable/version").asInt() == 2);
    JsonNode domain = seen("domain=books").get("domain");
    assertThat(domain.at("/replicas/0/problem").asText()).isEqualTo("it does not answer");
    assertThat(domain.at("/replicas/1/versions")).hasSize(2);

    String infer =
        "{\"inputs\":[{\"name\":\"text\",\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[\"x\"]}]}";
    HttpResponse<String> answer = ask("/v2/models/books/versions/2/infer", "see", infer);
    assertThat(answer.statusCode()).isEqualTo(200);
    assertThat(JSON.readTree(answer.body()).get("model_version").asText()).isEqualTo("2");
    assertThat(ask("/v2/models/books/versions/2/infer", "other", infer).statusCode())
        .isEqualTo(401);

    String pin = "{\"domain\":\"books\",\"version\":1,\"revision\":0}";
    assertThat(ask("/v1/rollouts/pin", "see", pin).statusCode()).isEqualTo(401);
    assertThat(ask("/v1/rollouts/pin", "decide", pin).statusCode()).isEqualTo(200);
    assertThat(ask("/v1/rollouts/pin", "decide", pin).statusCode()).isEqualTo(409);
    Await.until(
        "the page has it from the log",
        () -> seen("domain=books").at("/domain/rollout/policy").asText().equals("pinned"));
    assertThat(seen("domain=books").at("/domain/marks").findValuesAsText("action"))
        .containsExactly("published", "published", "pin");
  }

  @Test
  void whatIsRefusedOrUnreachableNeedsSomebody() throws Exception {
    List<AdapterVersion> chain = TestAdapters.chain("toys", 2);
    AdapterVersion broken =
        AdapterVersion.newBuilder(chain.get(1)).setPayload(ByteBuffer.wrap(new byte[3])).build();
    publisher.publishWithEvents(List.of(chain.get(0), broken));
    progress.deadLetter("toys", "BlankText", "the text is blank", "{}".getBytes(UTF_8));
    progress.step("toys", Instant.now(), 1, 8, 4);
    progress.flush();

    Await.until(
        "it is on the list",
        () ->
            seen("filter=refused").at("/list/domains/0/domain").asText().equals("toys")
                && seen("filter=refused").at("/overview/deadLetters").asLong() > 0);

    JsonNode all = seen("filter=needs");
    assertThat(all.at("/list/domains/0/needs").toString()).contains("refused");
    assertThat(all.at("/overview/needs").findValuesAsText("kind"))
        .contains("replica", "refused", "dead-letters");
    assertThat(all.at("/overview/needs").toString())
        .contains("http://127.0.0.1:" + gone + "/: it does not answer.");
    assertThat(all.at("/deadLetters/byReason/BlankText").asInt()).isEqualTo(1);
    assertThat(all.at("/deadLetters/latest/0/text").asText()).isEqualTo("{}");
    assertThat(all.at("/deadLetters/latest/0/from").asText())
        .isEqualTo("labeled-examples-0, offset 17");
  }

  @Test
  void whereNoServingProcessIsThereAnAnswerSaysSo() throws Exception {
    Settings settings =
        settings(DashboardSettings.ALL, "dashboard.serving=http://127.0.0.1:" + gone);
    try (DashboardProcess alone = DashboardProcess.start(settings, 0)) {
      HttpRequest request =
          HttpRequest.newBuilder(
                  URI.create("http://127.0.0.1:" + alone.port() + "/v1/rollouts/rollback"))
              .header("Content-Type", "application/json")
              .POST(BodyPublishers.ofString("{\"domain\":\"books\"}"))
              .build();
      HttpResponse<String> response =
          HttpClient.newHttpClient().send(request, BodyHandlers.ofString());

      assertThat(response.statusCode()).isEqualTo(503);
      assertThat(response.body()).contains("none of the serving processes can be reached");
    }
  }

  /** A machine that is off says nothing: a connection to it times out. */
  @Test
  void aTextGoesOnWhereAServingProcessDoesNotEvenRefuse() throws Exception {
    try (FullBacklog silent = new FullBacklog();
        DashboardProcess alone =
            DashboardProcess.start(
                settings(
                    DashboardSettings.ALL,
                    "dashboard.serving=http://127.0.0.1:%d,http://127.0.0.1:%d"
                        .formatted(silent.port(), serving.port())),
                0)) {
      HttpRequest request =
          HttpRequest.newBuilder(
                  URI.create("http://127.0.0.1:" + alone.port() + "/v1/rollouts/rollback"))
              .header("Content-Type", "application/json")
              .header("Authorization", "Bearer wrong")
              .POST(BodyPublishers.ofString("{\"domain\":\"plays\"}"))
              .build();
      HttpResponse<String> response =
          HttpClient.newHttpClient().send(request, BodyHandlers.ofString());

      assertThat(response.statusCode()).as(response.body()).isEqualTo(401);
    }
  }

  /** A port whose queue of connections is full, so that one more gets no answer. */
  private static final class FullBacklog implements AutoCloseable {
    private final ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    private final List<Socket> waiting = new ArrayList<>();

    FullBacklog() throws IOException {
      boolean full = false;
      while (!full) {
        Socket socket = new Socket();
        waiting.add(socket);
        try {
          socket.connect(server.getLocalSocketAddress(), 200);
        } catch (SocketTimeoutException e) {
          full = true;
        }
      }
    }

    int port() {
      return server.getLocalPort();
    }

    @Override
    public void close() throws IOException {
      for (Socket socket : waiting) {
        socket.close();
      }
      server.close();
    }
  }

  @Test
  void anAddressThatIsNoneIsRefused() {
    for (String address : List.of("127.0.0.1:8080", "ftp://x", "http://x/path", "http:///")) {
      Settings settings = settings(DashboardSettings.ALL, "dashboard.serving=" + address);

      assertThatThrownBy(() -> DashboardProcess.start(settings, 0))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("dashboard.serving: '" + address + "' is no address such as");
    }
  }
}
