package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.inference.dashboard.View;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.testing.Await;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The streams of tabs, as bytes on their connections. */
@Tag("integration")
class PageUpdatesTest {
  private static final String ASK =
      "GET /page/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";

  private final List<Tab> tabs = new ArrayList<>();
  private final AtomicInteger made = new AtomicInteger();
  private PageUpdates updates;
  private HttpService service;

  /** A client that reads what there is. */
  private static final class Tab {
    private final Socket socket;
    private final StringBuilder read = new StringBuilder();

    Tab(int port, String request) throws IOException {
      socket = new Socket("127.0.0.1", port);
      socket.getOutputStream().write(request.getBytes(UTF_8));
    }

    String read() throws IOException {
      InputStream in = socket.getInputStream();
      while (in.available() > 0) {
        read.append(new String(in.readNBytes(in.available()), UTF_8));
      }
      return read.toString();
    }

    int count(String part) throws IOException {
      return read().split(part, -1).length - 1;
    }
  }

  private void start(Function<View, ObjectNode> seen, Duration interval, Duration unread)
      throws Exception {
    // What is slow is cut off after half a second.
    start(seen, interval, unread, Duration.ofMillis(500));
  }

  private void start(
      Function<View, ObjectNode> seen, Duration interval, Duration unread, Duration slow)
      throws Exception {
    updates = new PageUpdates(seen, interval, interval.multipliedBy(2), unread);
    Map<String, Routes.Route> routes = new TreeMap<>(Routes.ofPage(updates, Optional.empty()));
    routes.put("/health/live", new Routes.Route("GET", new LiveEndpoint()));
    service =
        HttpService.start(
            "127.0.0.1", 0, routes, new WebAccess("127.0.0.1"), new ServingMetrics(), slow, slow);
  }

  @AfterEach
  void stop() throws IOException {
    updates.close();
    service.stop(Duration.ofSeconds(5));
    for (Tab tab : tabs) {
      tab.socket.close();
    }
  }

  private Tab open() throws IOException {
    Tab tab = new Tab(service.port(), ASK);
    tabs.add(tab);
    return tab;
  }

  private ObjectNode seen(Object content) {
    made.incrementAndGet();
    return JsonNodeFactory.instance
        .objectNode()
        .put("at", "2026-11-28T10:00:00.000Z")
        .put("content", String.valueOf(content));
  }

  @Test
  void aStreamOutlastsTheLimitOfSlowClientsAndSaysNothingTwice() throws Exception {
    start(view -> seen("the same"), Duration.ofMillis(100), Duration.ofSeconds(20));
    Tab tab = open();

    // Ten comments take two seconds and more.
    Await.until("it goes on", () -> tab.count("\n:\n\n") >= 10);

    assertThat(tab.read()).startsWith("HTTP/1.1 200 OK").contains("text/event-stream");
    assertThat(tab.count("data: ")).isEqualTo(1);
    assertThat(tab.read())
        .contains("data: {\"at\":\"2026-11-28T10:00:00.000Z\",\"content\":\"the same\"}\n\n");
  }

  @Test
  void anUpdateIsPutTogetherOnceForAllTabsThatLookAtTheSame() throws Exception {
    AtomicInteger changes = new AtomicInteger();
    start(view -> seen(changes.incrementAndGet()), Duration.ofMillis(50), Duration.ofSeconds(20));
    for (int i = 0; i < 50; i++) {
      open();
    }
    for (Tab tab : tabs) {
      Await.until("it has updates", () -> tab.count("data: ") >= 10);
    }

    int most = 0;
    for (Tab tab : tabs) {
      most = Math.max(most, tab.count("data: "));
    }
    assertThat(made.get()).isBetween(10, 2 * most);
  }

  @Test
  void ofMoreTabsThanThereMayBeOneIsRefusedAndOthersAreAnswered() throws Exception {
    start(view -> seen("the same"), Duration.ofMillis(100), Duration.ofSeconds(20));
    for (int i = 0; i < PageUpdates.MOST; i++) {
      open();
    }
    for (Tab tab : tabs) {
      Await.until("it is taken", () -> tab.read().startsWith("HTTP/1.1 200"));
    }

    Tab tooMany = open();
    Await.until("it is refused", () -> tooMany.read().startsWith("HTTP/1.1 503"));
    assertThat(tooMany.read()).contains("200 tabs show the page", "Retry-After");
    assertThat(new Api(service.port()).get("/health/live").status()).isEqualTo(200);

    tabs.get(0).socket.close();
    Await.until("there is a place again", () -> updates.open() < PageUpdates.MOST);
    Tab next = open();
    Await.until("it is taken", () -> next.read().startsWith("HTTP/1.1 200"));
  }

  @Test
  void aTabThatDoesNotReadIsCutOff() throws Exception {
    String large = "x".repeat(1 << 20);
    AtomicInteger changes = new AtomicInteger();
    start(
        view -> seen(changes.incrementAndGet() + large),
        Duration.ofMillis(20),
        Duration.ofMillis(300));
    open();

    Await.until("its place is free", () -> changes.get() > 0 && updates.open() == 0);
    // What it was not sent does not wait in memory: of so many changes few were written.
    assertThat(changes.get()).isGreaterThan(3);
  }

  @Test
  void streamsEndWithTheProcessAndAsTheyShould() throws Exception {
    start(view -> seen("the same"), Duration.ofMillis(100), Duration.ofSeconds(20));
    Tab tab = open();
    Await.until("it is open", () -> tab.count("data: ") == 1);

    updates.close();

    Await.until("the last chunk came", () -> tab.read().endsWith("\r\n0\r\n\r\n"));
    Tab late = open();
    Await.until("none begins", () -> late.read().startsWith("HTTP/1.1 503"));
  }

  /** Otherwise the process would wait for the end of a request that nobody answers. */
  @Test
  void whoWaitsForAnAnswerHasItBeforeTheProcessEnds() throws Exception {
    CountDownLatch ending = new CountDownLatch(1);
    start(
        view -> {
          try {
            ending.await();
          } catch (InterruptedException e) {
            throw new IllegalStateException(e);
          }
          return seen("the same");
        },
        Duration.ofMillis(100),
        Duration.ofSeconds(20),
        Duration.ofSeconds(60));
    for (String domain : List.of("a", "b", "c")) {
      tabs.add(
          new Tab(
              service.port(),
              "GET /v1/dashboard?domain=%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".formatted(domain)));
    }
    Await.until("one is put together, two wait", () -> updates.waiting() == 2);

    updates.close();
    ending.countDown();

    for (Tab tab : tabs) {
      Await.until("it is answered", () -> tab.read().startsWith("HTTP/1.1 200"));
    }
  }

  @Test
  void whoDoesNotExpectAStreamIsToldSo() throws Exception {
    start(view -> seen("the same"), Duration.ofMillis(100), Duration.ofSeconds(20));

    Api.Reply reply = new Api(service.port()).get("/page/events");

    assertThat(reply.status()).isEqualTo(406);
    assertThat(reply.error()).contains("text/event-stream", "/v1/dashboard");
    Api api = new Api(service.port());
    assertThat(api.get("/v1/dashboard?filter=all&domain=x").error())
        .contains("leave \"filter\" out");
    assertThat(api.get("/v1/dashboard?filter=red").error()).contains("needs, drift, canary");
    assertThat(api.get("/v1/dashboard?page=-1").status()).isEqualTo(400);
  }
}
