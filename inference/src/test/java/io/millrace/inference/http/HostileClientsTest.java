package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.millrace.client.settings.Settings;
import io.millrace.inference.ServingProcess;
import io.millrace.inference.ServingSettings;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import io.millrace.testing.Await;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.net.SocketException;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whatever clients do, they are served, refused or cut off, and each attack asserts which; and a
 * neighbour that asks on, one request after another, gets every answer, and the right one.
 */
@Tag("integration")
class HostileClientsTest {
  private static final AdapterVersion VERSION = TestAdapters.version("films", 1, null);
  private static final String TEXT = "a fine film";

  /** Merged into the weights, or scored beside other texts. */
  private static final Offset<Float> SLIGHTLY = within(1e-4f);

  private static final int TEN_MB = 10_000_000;

  @TempDir static Path directory;
  private static ServingProcess process;
  private static float[] expected;

  private final ExecutorService hostile = Executors.newCachedThreadPool();
  private final List<Socket> sockets = new ArrayList<>();
  private Neighbour neighbour;

  /** A client that means well: asks for a prediction, checks it, and asks again. */
  private final class Neighbour implements AutoCloseable {
    private final Api api;
    private final AtomicBoolean over = new AtomicBoolean();
    private final AtomicInteger answers = new AtomicInteger();
    private final Future<?> asking;

    Neighbour(int port) {
      this.api = new Api(port);
      this.asking = hostile.submit(this::ask);
    }

    private Void ask() throws Exception {
      while (!over.get()) {
        Api.Reply reply = predict();
        assertThat(reply.status()).as(reply.body().toString()).isEqualTo(200);
        assertThat(Api.logits(reply, TestAdapters.LABELS)).containsExactly(expected, SLIGHTLY);
        answers.incrementAndGet();
      }
      return null;
    }

    /**
     * Asks once more where the connection has ended without an answer: between two requests the
     * service may close it, and does where this thread had no processor for as long.
     */
    private Api.Reply predict() throws Exception {
      try {
        return api.predict("films", TEXT);
      } catch (IOException e) {
        return api.predict("films", TEXT);
      }
    }

    /** Until it has got some more answers; at once where it got a wrong one. */
    void awaitMoreAnswers() throws Exception {
      int before = answers.get();
      Await.until("it goes on", () -> asking.isDone() || answers.get() > before + 3);
    }

    /** Fails where an answer was missing or wrong, also while the others still hold on. */
    @Override
    public void close() throws Exception {
      awaitMoreAnswers();
      over.set(true);
      asking.get();
    }
  }

  @BeforeAll
  static void start() throws Exception {
    try (AdapterStore store = AdapterStore.open(directory.resolve("adapters"))) {
      store.put(VERSION, new StreamOffset(0, 1));
    }
    expected = TestAdapters.logits(VERSION, TEXT);
    process =
        ServingProcess.listen(
            Settings.of(
                ServingSettings.ALL,
                null,
                List.of(
                    "model.store=" + TestAdapters.models(),
                    "serving.rolloutToken=secret",
                    "serving.maxQueuedRequests=1000",
                    "kafka.bootstrap.servers=127.0.0.1:1")),
            directory,
            0,
            notice -> {});
    process.load((model, done, total) -> {});
  }

  @AfterAll
  static void stop() {
    process.close();
  }

  @BeforeEach
  void askSteadily() {
    neighbour = new Neighbour(process.port());
  }

  @AfterEach
  void everyAnswerWasRight() throws Exception {
    neighbour.close();
    for (Socket socket : sockets) {
      socket.close();
    }
    hostile.shutdown();
  }

  @Test
  void bodiesOfTenMegabytesAreRefused() throws Exception {
    Api api = new Api(process.port());
    byte[] body = new byte[TEN_MB];
    List<Callable<Integer>> clients = new ArrayList<>();
    for (String path : List.of("/v1/predict", "/v1/feedback")) {
      for (int i = 0; i < 10; i++) {
        clients.add(() -> api.post(path, body).status());
        clients.add(
            () ->
                api.post(path, BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body)))
                    .status());
      }
    }
    for (int i = 0; i < 10; i++) {
      clients.add(() -> api.post("/v1/rollouts/pin", body).status());
    }

    List<Integer> statuses = new ArrayList<>();
    for (Future<Integer> client : hostile.invokeAll(clients)) {
      statuses.add(client.get());
    }
    assertThat(statuses.subList(0, 40)).containsOnly(413);
    assertThat(statuses.subList(40, 50)).containsOnly(401);
  }

  @Test
  void manyLargeBodiesThatAreNeverFinishedLeaveRoomForOthers() throws Exception {
    byte[] part = new byte[900_000];
    BlockingQueue<String> answers = new LinkedBlockingQueue<>();
    for (int i = 0; i < 120; i++) {
      Socket socket = connect(process.port());
      write(
          socket,
          "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
              .getBytes(UTF_8));
      hostile.submit(
          () -> {
            write(socket, part);
            return answers.add(statusLine(socket));
          });
    }

    // 64 MiB hold 67 bodies of a million bytes; those wait for the rest of theirs.
    Await.until("the others are refused", () -> answers.size() >= 120 - 67);
    neighbour.awaitMoreAnswers();
    assertThat(answers).hasSize(120 - 67).containsOnly("HTTP/1.1 503 Service Unavailable");
  }

  @Test
  void whatIsNoJsonIs400() throws Exception {
    Api api = new Api(process.port());
    Random random = new Random(7);
    String good = "{\"domain\":\"films\",\"text\":\"x\",\"requestId\":\"r\",\"label\":\"good\"}";
    for (int i = 0; i < 300; i++) {
      byte[] body = good.getBytes(UTF_8);
      for (int n = random.nextInt(4); n >= 0; n--) {
        body[random.nextInt(body.length)] = (byte) random.nextInt(256);
      }
      assertThat(api.post("/v1/predict", body).status()).isIn(200, 400, 404, 409);
      // What is still feedback on a request answered before would need Kafka.
      assertThat(api.post("/v1/feedback", body).status()).isIn(400, 404, 503);
    }
    for (String nested : List.of("[", "{\"a\":", "{\"domain\":[")) {
      byte[] body = nested.repeat(1_000_000 / nested.length()).getBytes(UTF_8);
      assertThat(api.post("/v1/predict", body).status()).isEqualTo(400);
      assertThat(api.post("/v1/feedback", body).status()).isEqualTo(400);
    }
    byte[] number = ("{\"domain\":" + "9".repeat(900_000) + "}").getBytes(UTF_8);
    assertThat(api.post("/v1/predict", number).status()).isEqualTo(400);
  }

  @Test
  void rubbishIsAnsweredOrHungUpOn() throws Exception {
    Random random = new Random(8);
    for (int i = 0; i < 300; i++) {
      byte[] rubbish = new byte[1 + random.nextInt(2000)];
      random.nextBytes(rubbish);
      if (i % 2 == 0) {
        byte[] begin = "POST /v1/predict HTTP/1.1\r\n".getBytes(ISO_8859_1);
        System.arraycopy(begin, 0, rubbish, 0, Math.min(begin.length, rubbish.length));
      }
      Socket socket = connect(process.port());
      write(socket, rubbish);
      // Else what is no whole request yet would be waited for.
      socket.shutdownOutput();
      assertThat(statusLineOrEnd(socket))
          .as("rubbish %d", i)
          .matches("|HTTP/1.1 4\\d\\d .*|HTTP/1.1 505 .*");
    }
    Socket headers = connect(process.port());
    write(headers, ("GET /health/live HTTP/1.1\r\nX: " + "x".repeat(100_000)).getBytes(UTF_8));
    assertThat(statusLine(headers)).startsWith("HTTP/1.1 431");
    Socket path = connect(process.port());
    write(path, ("GET /" + "x".repeat(100_000) + " HTTP/1.1\r\n").getBytes(UTF_8));
    assertThat(statusLine(path)).startsWith("HTTP/1.1 414");
    Socket both = connect(process.port());
    write(
        both,
        ("POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 3\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            .getBytes(UTF_8));
    assertThat(statusLine(both)).startsWith("HTTP/1.1 400");
  }

  @Test
  void queriesThatAreNoneAreAnswered() throws Exception {
    for (String path : List.of("/v1/adapters", "/v1/rollouts", "/v1/rollouts/history")) {
      for (String query :
          List.of("domain=%", "domain=%zz", "domain=%ff", "%00=%00", "&&&=", "domain")) {
        Socket socket = connect(process.port());
        write(
            socket,
            ("GET " + path + "?" + query + " HTTP/1.1\r\nHost: localhost\r\n\r\n").getBytes(UTF_8));
        assertThat(statusLine(socket)).as(path + "?" + query).matches("HTTP/1.1 (200|400|404) .*");
      }
    }
  }

  @Test
  void clientsThatAreSlowWithHeadersOrBodyAreCutOffAndDelayNobody() throws Exception {
    HttpService service = limited(process.routes());
    List<Socket> headers = new ArrayList<>();
    List<Socket> bodies = new ArrayList<>();
    try (Neighbour beside = new Neighbour(service.port())) {
      for (int i = 0; i < 150; i++) {
        headers.add(connect(service.port()));
        write(
            headers.get(i),
            "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-"
                .getBytes(UTF_8));
        bodies.add(connect(service.port()));
        write(
            bodies.get(i),
            "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10000\r\n\r\n{"
                .getBytes(UTF_8));
      }
      // Each may become a megabyte: more than 64 are refused.
      for (int i = 0; i < 50; i++) {
        Socket socket = connect(service.port());
        bodies.add(socket);
        write(
            socket,
            "POST /v1/feedback HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n"
                .getBytes(UTF_8));
      }

      Await.until("headers that trickle are cut off", () -> allAreClosed(headers));
      for (Socket socket : bodies) {
        assertThat(statusLineOrEnd(socket)).isEmpty();
      }
    } finally {
      service.stop(Duration.ZERO);
    }
  }

  @Test
  void bytesThatAreNoChunkAre400() throws Exception {
    Socket socket = connect(process.port());
    write(
        socket,
        "POST /v1/feedback HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n"
            .getBytes(UTF_8));

    assertThat(statusLine(socket)).isEqualTo("HTTP/1.1 400 Bad Request");
  }

  @Test
  void fiveHundredConnectionsAtOnceAreAllAnswered() throws Exception {
    byte[] request =
        ("POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 32\r\n\r\n"
                + "{\"domain\":\"films\",\"text\":\"more\"}")
            .getBytes(UTF_8);
    List<Callable<String>> clients = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      Socket socket = connect(process.port());
      clients.add(
          () -> {
            write(socket, request);
            return statusLine(socket);
          });
    }

    for (Future<String> client : hostile.invokeAll(clients)) {
      assertThat(client.get()).isEqualTo("HTTP/1.1 200 OK");
    }
  }

  @Test
  void clientsThatReadNoAnswersAreAnsweredWhenTheyDo() throws Exception {
    byte[] request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200).getBytes(UTF_8);
    List<Socket> readers = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      Socket socket = connect(process.port());
      readers.add(socket);
      hostile.submit(
          () -> {
            write(socket, request);
            return null;
          });
    }

    neighbour.awaitMoreAnswers();
    for (Socket socket : readers) {
      assertThat(statusLine(socket)).isEqualTo("HTTP/1.1 200 OK");
    }
  }

  @Test
  void clientsThatNeverReadAnAnswerAreCutOff() throws Exception {
    Map<String, Routes.Route> routes = new TreeMap<>(process.routes());
    routes.put(
        "/large",
        new Routes.Route(
            "GET",
            (request, response, callback) ->
                Answer.send(response, callback, 200, "text/plain", new byte[4 * TEN_MB])));
    HttpService service = limited(routes);
    try (Neighbour beside = new Neighbour(service.port())) {
      List<Socket> clients = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        clients.add(connect(service.port()));
        write(clients.get(i), "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(UTF_8));
      }

      Await.until("they are cut off", () -> allAreClosed(clients));
    } finally {
      service.stop(Duration.ZERO);
    }
  }

  /** With limits that a test can wait for. */
  private static HttpService limited(Map<String, Routes.Route> routes) throws Exception {
    return HttpService.start(
        "127.0.0.1",
        0,
        routes,
        new WebAccess("127.0.0.1"),
        new ServingMetrics(),
        Duration.ofSeconds(2),
        Duration.ofSeconds(5));
  }

  @Test
  void aConnectionThatTricklesHeadersForeverIsClosed() throws Exception {
    HttpService service =
        HttpService.start(
            "127.0.0.1",
            0,
            Map.of("/health/live", new Routes.Route("GET", new LiveEndpoint())),
            new WebAccess("127.0.0.1"),
            new ServingMetrics(),
            Duration.ofSeconds(1),
            Duration.ofMinutes(1));
    try (Socket socket = new Socket("127.0.0.1", service.port());
        Socket idle = new Socket("127.0.0.1", service.port())) {
      write(socket, "GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Y: ".getBytes(UTF_8));
      write(idle, "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(UTF_8));
      assertThat(statusLine(idle)).isEqualTo("HTTP/1.1 200 OK");

      Await.until("it is closed", () -> isClosed(socket));
      Await.until("so is the one that asked nothing more", () -> isClosed(idle));
    } finally {
      service.stop(Duration.ZERO);
    }
  }

  @Test
  void aRequestThatIsNeverDoneIsEnded() throws Exception {
    HttpService service =
        HttpService.start(
            "127.0.0.1",
            0,
            Map.of("/", new Routes.Route("GET", (request, response, callback) -> {})),
            new WebAccess("127.0.0.1"),
            new ServingMetrics(),
            Duration.ofMinutes(1),
            Duration.ofSeconds(1));
    try (Socket socket = new Socket("127.0.0.1", service.port())) {
      write(socket, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(UTF_8));

      socket.setSoTimeout(20_000);
      assertThat(socket.getInputStream().read()).isEqualTo(-1);
    } finally {
      service.stop(Duration.ZERO);
    }
  }

  private static boolean isClosed(Socket socket) {
    try {
      write(socket, new byte[] {'a'});
      return false;
    } catch (IOException e) {
      return true;
    }
  }

  /** Writes a byte to each that is still open. */
  private static boolean allAreClosed(List<Socket> open) {
    return open.stream().filter(socket -> !isClosed(socket)).count() == 0;
  }

  private Socket connect(int port) throws IOException {
    Socket socket = new Socket("127.0.0.1", port);
    socket.setSoTimeout((int) Duration.ofSeconds(40).toMillis());
    sockets.add(socket);
    return socket;
  }

  private static void write(Socket socket, byte[] bytes) throws IOException {
    OutputStream out = socket.getOutputStream();
    out.write(bytes);
    out.flush();
  }

  /** Empty where the connection ends without an answer. */
  private static String statusLineOrEnd(Socket socket) throws IOException {
    try {
      return statusLine(socket);
    } catch (SocketException e) {
      return "";
    }
  }

  private static String statusLine(Socket socket) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int next = socket.getInputStream().read();
        next >= 0 && next != '\r';
        next = socket.getInputStream().read()) {
      line.append((char) next);
    }
    return line.toString();
  }
}
