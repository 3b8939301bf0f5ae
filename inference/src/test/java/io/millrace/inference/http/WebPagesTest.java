package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.inference.ServingProcess;
import io.millrace.inference.ServingSettings;
import io.millrace.inference.TestAdapters;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a web page may send to a serving process, as the bytes that a browser would send. */
@Tag("integration")
class WebPagesTest {
  private static final String PREDICT = "{\"domain\":\"films\",\"text\":\"x\"}";
  private static final String JSON = "Content-Type: application/json";

  @TempDir static Path directory;

  /** Open to everyone on this machine. */
  private static ServingProcess process;

  /** With a host, an origin and tokens, listening on all addresses. */
  private static ServingProcess open;

  @BeforeAll
  static void start() throws Exception {
    Path token = Files.writeString(directory.resolve("token"), "of-feedback\n");
    process = listen("plain");
    open =
        listen(
            "open",
            "serving.host=0.0.0.0",
            "serving.allowedHosts=Serve.Example, 10.1.2.3",
            "serving.allowedOrigins=https://App.example,http://localhost:3000",
            "serving.tokens.predict=of-predict",
            "serving.tokens.feedbackFile=" + token);
  }

  @AfterAll
  static void stop() {
    process.close();
    open.close();
  }

  private static ServingProcess listen(String name, String... sets) throws Exception {
    List<String> all =
        new ArrayList<>(
            List.of("model.store=" + TestAdapters.models(), "kafka.bootstrap.servers=127.0.0.1:1"));
    all.addAll(List.of(sets));
    return ServingProcess.listen(
        Settings.of(ServingSettings.ALL, null, all), directory.resolve(name), 0, notice -> {});
  }

  static List<String> paths() {
    List<String> paths = new ArrayList<>();
    process.routes().keySet().forEach(path -> paths.add(ApiDescription.example(path)));
    paths.add("/no/such/path");
    return paths;
  }

  @ParameterizedTest
  @MethodSource("paths")
  void aPageFromElsewhereGetsNothing(String path) throws Exception {
    for (String method : List.of("GET", "POST", "OPTIONS")) {
      String answer =
          ask(process, method, path, "127.0.0.1", PREDICT, JSON, "Origin: http://evil.example");

      assertThat(answer).startsWith("HTTP/1.1 403 ").doesNotContainIgnoringCase("access-control");
      assertThat(answer).contains("web pages of 'http://evil.example' may not use this process");
    }
  }

  @ParameterizedTest
  @MethodSource("paths")
  void aPageWhoseNameLeadsHereGetsNothing(String path) throws Exception {
    for (String method : List.of("GET", "POST", "OPTIONS")) {
      String answer = ask(process, method, path, "evil.example:" + process.port(), PREDICT, JSON);

      assertThat(answer).startsWith("HTTP/1.1 403 ");
      assertThat(answer).contains("this process is not called 'evil.example'");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "null",
        "http://127.0.0.1",
        "http://localhost:3000",
        "https://localhost",
        "http://127.0.0.1.evil.example:PORT",
        "http://evil.example@127.0.0.1:PORT",
        "http://127.0.0.1:PORT/",
        "http://127.0.0.1:PORT http://evil.example",
        "file://",
        "",
      })
  void anotherOriginIsForeign(String origin) throws Exception {
    String sent = "Origin: " + origin.replace("PORT", "" + process.port());
    String host = "127.0.0.1:" + process.port();

    assertThat(ask(process, "POST", "/v1/predict", host, PREDICT, JSON, sent))
        .startsWith("HTTP/1.1 403 ");
    assertThat(
            ask(
                process,
                "POST",
                "/v1/predict",
                host,
                PREDICT,
                JSON,
                "Origin: http://127.0.0.1:" + process.port(),
                sent))
        .as("beside its own")
        .startsWith("HTTP/1.1 403 ");
  }

  @ParameterizedTest
  @CsvSource({
    "127.0.0.1:PORT, http://127.0.0.1:PORT",
    "localhost:PORT, http://localhost:PORT",
    "LOCALHOST:PORT, http://localhost:PORT",
    "localhost, https://localhost",
    "127.0.0.1, http://127.0.0.1",
  })
  void aPageOfThisProcessItselfIsNot(String host, String origin) throws Exception {
    String port = Integer.toString(process.port());

    assertThat(
            ask(
                process,
                "GET",
                "/health/live",
                host.replace("PORT", port),
                "",
                "Origin: " + origin.replace("PORT", port)))
        .startsWith("HTTP/1.1 200 ");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"localhost", "localhost.", "localhost:1", "127.0.0.1", "127.9.9.9:80", "[::1]:80"})
  void loopbackIsKnownByItsNames(String host) throws Exception {
    assertThat(ask(process, "GET", "/metrics", host, "")).startsWith("HTTP/1.1 200 ");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0.0.0.0",
        "10.1.2.3",
        "evil.localhost.example",
        "127.0.0.1.evil.example",
        "2130706433",
        "[::2]",
        "serve.example"
      })
  void otherNamesAreNot(String host) throws Exception {
    assertThat(ask(process, "GET", "/metrics", host, "")).doesNotStartWith("HTTP/1.1 200 ");
  }

  @Test
  void theTargetsHostCountsAsWell() throws Exception {
    assertThat(ask(process, "GET", "http://evil.example/metrics", "evil.example", ""))
        .startsWith("HTTP/1.1 403 ");
    assertThat(ask(process, "GET", "http://evil.example/metrics", "127.0.0.1", ""))
        .doesNotStartWith("HTTP/1.1 200 ");
  }

  @Test
  void itIsKnownByTheAddressThatWasReachedAndByWhatTheSettingLists() throws Exception {
    for (NetworkInterface each : Collections.list(NetworkInterface.getNetworkInterfaces())) {
      for (InetAddress address : Collections.list(each.getInetAddresses())) {
        if (address.getAddress().length == 4) {
          String host = address.getHostAddress();
          try (Socket socket = new Socket(address, open.port())) {
            assertThat(ask(socket, "GET", "/health/live", host, ""))
                .as(host)
                .startsWith("HTTP/1.1 200 ");
          }
        }
      }
    }
    for (String host : List.of("serve.example", "SERVE.example:80", "10.1.2.3:8080")) {
      assertThat(ask(open, "GET", "/health/live", host, "")).startsWith("HTTP/1.1 200 ");
    }
    for (String host : List.of("0.0.0.0", "10.1.2.4", "example")) {
      assertThat(ask(open, "GET", "/health/live", host, "")).startsWith("HTTP/1.1 403 ");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "X-None: 1",
        "Content-Type: text/plain",
        "Content-Type: text/plain;charset=UTF-8",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: multipart/form-data; boundary=application/json",
        "Content-Type: application/jsonp",
        "Content-Type: text/plain; x=application/json",
        "Content-Type: application/json; charset=UTF-16",
        "Content-Type: application/json\r\nContent-Type: text/plain",
        "Content-Type: application/json\r\nContent-Encoding: gzip",
      })
  void aWriteThatIsNotCalledJsonIs415(String header) throws Exception {
    for (String path : List.of("/v1/predict", "/v1/feedback")) {
      assertThat(ask(process, "POST", path, "127.0.0.1", PREDICT, header))
          .startsWith("HTTP/1.1 415 ")
          .contains("send the body as Content-Type: application/json");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Content-Type: application/json",
        "content-type: Application/JSON;charset=utf-8",
        "Content-Type: application/json; charset=\"UTF-8\""
      })
  void jsonIsTakenHoweverItIsSpelt(String header) throws Exception {
    assertThat(ask(process, "POST", "/v1/predict", "127.0.0.1", PREDICT, header))
        .as("its model is not loaded")
        .doesNotStartWith("HTTP/1.1 4")
        .contains("loading");
  }

  @ParameterizedTest
  @CsvSource({
    "/v1/predict, of-predict, 503",
    "/v1/predict, of-feedback, 401",
    "/v1/predict, , 401",
    "/v1/feedback, of-feedback, 400",
    "/v1/feedback, of-predict, 401",
    "/v1/feedback, , 401",
  })
  void aTokenOpensItsOwnEndpoint(String path, String token, int status) throws Exception {
    String answer =
        ask(
            open,
            "POST",
            path,
            "127.0.0.1",
            PREDICT,
            JSON,
            token == null ? "X-None: 1" : "Authorization: Bearer " + token);

    assertThat(answer).startsWith("HTTP/1.1 " + status + " ");
    assertThat(answer.contains("WWW-Authenticate: Bearer")).isEqualTo(status == 401);
  }

  @Test
  void aListedPageIsAskedBeforehandAndMayReadTheAnswer() throws Exception {
    String preflight =
        ask(
            open,
            "OPTIONS",
            "/v1/predict",
            "127.0.0.1",
            "",
            "Origin: https://app.example",
            "Access-Control-Request-Method: POST",
            "Access-Control-Request-Headers: authorization,content-type");
    assertThat(preflight)
        .startsWith("HTTP/1.1 204 ")
        .contains("Access-Control-Allow-Origin: https://app.example\r\n")
        .contains("Access-Control-Allow-Methods: POST\r\n")
        .contains("Access-Control-Allow-Headers: Authorization, Content-Type\r\n")
        .contains("Vary: Origin\r\n")
        .doesNotContain("Allow-Credentials");

    String answer =
        ask(
            open,
            "POST",
            "/v1/predict",
            "127.0.0.1",
            PREDICT,
            JSON,
            "Authorization: Bearer of-predict",
            "Origin: https://app.example");
    assertThat(answer)
        .startsWith("HTTP/1.1 503 ")
        .contains("Access-Control-Allow-Origin: https://app.example\r\n")
        .contains("Vary: Origin\r\n");
  }

  @Test
  void anotherPageIsToldNoBeforehand() throws Exception {
    for (String origin : List.of("http://app.example", "https://app.example.evil", "null")) {
      assertThat(
              ask(
                  open,
                  "OPTIONS",
                  "/v1/predict",
                  "127.0.0.1",
                  "",
                  "Origin: " + origin,
                  "Access-Control-Request-Method: POST"))
          .startsWith("HTTP/1.1 403 ")
          .doesNotContainIgnoringCase("access-control");
    }
  }

  @Test
  void noAnswerIsForAnotherPagesScript() throws Exception {
    assertThat(ask(process, "GET", "/v1/adapters", "127.0.0.1", ""))
        .contains("Cache-Control: no-store\r\n")
        .contains("X-Content-Type-Options: nosniff\r\n")
        .contains("Cross-Origin-Resource-Policy: same-origin\r\n");
  }

  @ParameterizedTest
  @CsvSource({
    "serving.allowedHosts=a b, serving.allowedHosts: 'a b' is not a host's name",
    "serving.allowedHosts=a:80, serving.allowedHosts: 'a:80' is not a host's name",
    "serving.allowedHosts=*, serving.allowedHosts: '*' is not a host's name",
    "serving.allowedOrigins=*, serving.allowedOrigins: '*' is not an origin",
    "serving.allowedOrigins=app.example, serving.allowedOrigins: 'app.example' is not an origin",
    "serving.allowedOrigins=https://a/b, serving.allowedOrigins: 'https://a/b' is not an origin",
  })
  void whatIsNoHostAndNoOriginIsRefusedAtTheStart(String set, String message) {
    assertThatThrownBy(() -> listen("refused" + set.hashCode(), set))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(message);
  }

  private static String ask(
      ServingProcess asked, String method, String path, String host, String body, String... headers)
      throws Exception {
    try (Socket socket = new Socket("127.0.0.1", asked.port())) {
      return ask(socket, method, path, host, body, headers);
    }
  }

  private static String ask(
      Socket socket, String method, String path, String host, String body, String... headers)
      throws Exception {
    String head =
        "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n"
            .formatted(method, path, host, body.length());
    String request = head + String.join("\r\n", headers) + (headers.length > 0 ? "\r\n" : "");
    socket.getOutputStream().write((request + "\r\n" + body).getBytes(UTF_8));
    String answer = new String(socket.getInputStream().readAllBytes(), ISO_8859_1);
    assertThat(answer.toLowerCase(Locale.ROOT)).contains("\r\n\r\n");
    return answer;
  }
}
