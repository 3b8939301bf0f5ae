package io.millrace.schemas.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.millrace.schemas.TrainingStep;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.avro.AvroRuntimeException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * How a registry's answers, and its failures above all, are understood. The client module asks a
 * real registry.
 */
@Tag("unit")
class SchemaRegistryTest {
  private final List<String> requests = Collections.synchronizedList(new ArrayList<>());

  /** Longer than a busy machine takes. */
  private static final Duration ANSWERS_WITHIN = Duration.ofMinutes(1);

  private final ExecutorService threads = Executors.newCachedThreadPool();
  private HttpServer server;
  private int status = 200;
  private String answer = "";
  private boolean finishes = true;

  @BeforeEach
  void start() throws IOException {
    // Else each answer waits 40 ms for the client's acknowledgement of its headers.
    System.setProperty("sun.net.httpserver.nodelay", "true");
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.createContext("/", this::answer);
    server.start();
  }

  @AfterEach
  void stop() {
    server.stop(0);
    threads.shutdownNow();
  }

  @Test
  void everyAnswerIsAskedForOnce() throws IOException {
    SchemaRegistry registry = registry("");
    answers(200, "{\"id\": 12}");
    for (int i = 0; i < 2; i++) {
      assertThat(registry.idOf("a b/c-value", TrainingStep.getClassSchema())).isEqualTo(12);
    }
    answers(200, "{\"schema\": \"{\\\"type\\\": \\\"string\\\"}\"}");
    for (int i = 0; i < 2; i++) {
      assertThat(registry.schema(12))
          .hasValueSatisfying(s -> assertThat(s).hasToString("\"string\""));
    }
    assertThat(requests)
        .containsExactly("POST /r/subjects/a+b%2Fc-value/versions", "GET /r/schemas/ids/12");
  }

  @Test
  void credentialsInTheUrlAreSentAndNeverShown() {
    answers(401, "{\"error_code\": 401, \"message\": \"who are you?\"}");
    assertThatThrownBy(() -> registry("ada:pa%20ss@").schema(1))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("answered 401: {\"error_code\": 401, \"message\": \"who are you?\"}")
        .hasMessageNotContaining("pa");
    assertThat(requests).containsExactly("GET /r/schemas/ids/1 Basic YWRhOnBhIHNz");
  }

  @Test
  void onlyTheRegistrysOwnNotFoundMeansThatASchemaIsUnknown() throws IOException {
    answers(404, "{\"error_code\": 40403, \"message\": \"Schema not found\"}");
    assertThat(registry("").schema(5)).isEmpty();

    answers(404, "<html>no such page</html>");
    assertThatThrownBy(() -> registry("").schema(5))
        .isInstanceOf(IOException.class)
        .hasMessageEndingWith("answered 404: <html>no such page</html>");
  }

  @Test
  void anUnknownIdIsNotAskedForAgainAtOnceButALittleLater() throws IOException {
    answers(404, "{\"error_code\": 40403, \"message\": \"Schema not found\"}");
    SchemaRegistry patient = registry("");
    for (int i = 0; i < 3; i++) {
      assertThat(patient.schema(5)).isEmpty();
    }
    assertThat(requests).containsExactly("GET /r/schemas/ids/5");

    SchemaRegistry forgetful = registry("", ANSWERS_WITHIN, Duration.ZERO);
    assertThat(forgetful.schema(5)).isEmpty();
    answers(200, "{\"schema\": \"{\\\"type\\\": \\\"string\\\"}\"}");
    assertThat(forgetful.schema(5)).isPresent();
  }

  @Test
  void aNegativeIdIsUnknownWhateverARegistryWouldSay() throws IOException {
    answers(400, "{\"error_code\": 400, \"message\": \"not a number\"}");

    assertThat(registry("").schema(-1)).isEmpty();
    assertThat(registry("").schema(Integer.MIN_VALUE)).isEmpty();
    assertThat(requests).isEmpty();
  }

  @Test
  void onlyTheLastThousandUnknownIdsAreRemembered() throws IOException {
    answers(404, "{\"error_code\": 40403, \"message\": \"Schema not found\"}");
    SchemaRegistry registry = registry("");
    for (int id = 0; id <= 1000; id++) {
      registry.schema(id);
    }
    requests.clear();

    registry.schema(1000);
    registry.schema(1);
    registry.schema(0);

    assertThat(requests).containsExactly("GET /r/schemas/ids/0");
  }

  @Test
  void aSchemaOfAnotherLanguageIsTheRecordsFault() {
    answers(200, "{\"schema\": \"{}\", \"schemaType\": \"JSON\"}");
    SchemaRegistry registry = registry("");
    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(() -> registry.schema(5))
          .isInstanceOf(AvroRuntimeException.class)
          .hasMessage("schema 5 is a schema for JSON, not Avro");
    }
    assertThat(requests).hasSize(1);
  }

  @Test
  void anIncompatibleSchemaIsRefusedWithTheRegistrysReason() {
    answers(409, "{\"error_code\": 409, \"message\": \"READER_FIELD_MISSING_DEFAULT_VALUE\"}");
    assertThatThrownBy(() -> registry("").idOf("t-value", TrainingStep.getClassSchema()))
        .isInstanceOf(SchemaRefusedException.class)
        .hasMessage(
            "the schema registry refuses the schema of io.millrace.schemas.TrainingStep for subject"
                + " t-value: READER_FIELD_MISSING_DEFAULT_VALUE");
  }

  @Test
  void anAnswerThatNeverEndsIsGivenUp() {
    finishes = false;
    SchemaRegistry impatient = registry("", Duration.ofMillis(500), Duration.ofHours(1));
    assertThatThrownBy(() -> impatient.schema(5))
        .isInstanceOf(IOException.class)
        .hasMessageEndingWith("no answer within 500 ms");
  }

  @Test
  void aRegistryThatIsNotThereIsAFailureOfItsOwn() {
    server.stop(0);
    assertThatThrownBy(() -> registry("").schema(5))
        .isInstanceOf(IOException.class)
        .hasMessageMatching("schema registry http://127.0.0.1:\\d+/r: no connection");
  }

  @Test
  void whatIsNoUrlIsRefusedAtOnce() {
    for (String url :
        List.of("", "localhost:8081", "ftp://host", "http://", "http://a:1,http://b:2")) {
      assertThatThrownBy(() -> new SchemaRegistry(url))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  private SchemaRegistry registry(String user) {
    return registry(user, ANSWERS_WITHIN, Duration.ofHours(1));
  }

  private SchemaRegistry registry(String user, Duration answerTimeout, Duration unknownFor) {
    int port = server.getAddress().getPort();
    return new SchemaRegistry(
        "http://" + user + "127.0.0.1:" + port + "/r/", answerTimeout, unknownFor);
  }

  private void answers(int status, String answer) {
    this.status = status;
    this.answer = answer;
  }

  private void answer(HttpExchange exchange) throws IOException {
    String credentials = exchange.getRequestHeaders().getFirst("Authorization");
    requests.add(
        exchange.getRequestMethod()
            + " "
            + exchange.getRequestURI()
            + (credentials == null ? "" : " " + credentials));
    byte[] body = answer.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, finishes ? body.length : body.length + 1L);
    exchange.getResponseBody().write(body);
    if (finishes) {
      exchange.close();
    }
  }
}
