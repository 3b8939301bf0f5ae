package io.millrace.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.client.settings.Settings;
import io.millrace.inference.http.Api;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import io.millrace.testing.StubRegistry;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The whole process against a real broker: from the topic to the answer. */
@Tag("integration")
@ExtendWith(Services.class)
class ServingProcessTest {
  private static final int PARTITIONS = 2;
  private static final String TEXT = "a fine film";

  private static KafkaBroker broker;
  private static StubRegistry registry;

  @TempDir Path directory;
  private final List<String> notices = new CopyOnWriteArrayList<>();
  private TestPublisher publisher;
  private ServingProcess process;
  private Api api;

  @BeforeAll
  static void services(KafkaBroker kafka, StubRegistry schemas) throws Exception {
    broker = kafka;
    registry = schemas;
  }

  @BeforeEach
  void createTopics() throws Exception {
    TestTopics.createAdapters(broker, PARTITIONS);
    TestTopics.createRollouts(broker, PARTITIONS);
    publisher = new TestPublisher(settings(), PARTITIONS);
  }

  @AfterEach
  void stop() {
    publisher.close();
    registry.setFailing(false);
    if (process != null) {
      process.close();
    }
  }

  private static Settings settings() {
    return Settings.of(
        ServingSettings.ALL,
        null,
        List.of(
            "model.store=" + TestAdapters.models(),
            "kafka.bootstrap.servers=" + broker.bootstrapServers(),
            "schema.registry.url=" + registry.url()));
  }

  private void start() throws Exception {
    process = ServingProcess.listen(settings(), directory, 0, notices::add);
    process.load((model, done, total) -> {});
    api = new Api(process.port());
  }

  private void restart() throws Exception {
    process.close();
    start();
  }

  @Test
  void readyOnceEverythingOfTheStartIsRead() throws Exception {
    publisher.publish(TestAdapters.chain("films", 3));
    publisher.publish(TestAdapters.chain("books", 2));
    publisher.publishAndAbort(TestAdapters.version("books", 3, null));
    start();

    Await.until("ready", api::isReady);
    assertThat(api.serving("films")).isEqualTo(3);
    assertThat(api.serving("books")).isEqualTo(2);
    for (JsonNode partition : api.get("/health/ready").body().get("partitions")) {
      assertThat(partition.get("lag").asLong()).isZero();
    }
    assertThat(process.caughtUp()).isCompleted();
  }

  @Test
  void fiftySwapsUnderLoadLoseNoRequestAndMixNoVersions() throws Exception {
    List<AdapterVersion> chain = TestAdapters.chain("films", 50);
    Map<Long, float[]> expected = new ConcurrentHashMap<>();
    chain.forEach(v -> expected.put(v.getVersion(), TestAdapters.logits(v, TEXT)));
    publisher.publish(chain.get(0));
    start();
    Await.until("version 1 serves", () -> api.serving("films") == 1);

    AtomicBoolean swapping = new AtomicBoolean(true);
    ExecutorService clients = Executors.newFixedThreadPool(4);
    List<Future<Integer>> answers = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      answers.add(clients.submit(() -> askWhile(swapping, chain, expected)));
    }
    try {
      for (AdapterVersion next : chain.subList(1, 50)) {
        publisher.publish(next);
        Await.until("it serves", () -> api.serving("films") == next.getVersion());
      }
    } finally {
      swapping.set(false);
      clients.shutdown();
    }

    for (Future<Integer> answered : answers) {
      assertThat(answered.get()).isGreaterThan(5);
    }
    JsonNode versions = api.domain("films").get("versions");
    assertThat(versions).hasSize(50).allMatch(version -> version.get("liveAt").isTextual());
  }

  private int askWhile(
      AtomicBoolean swapping, List<AdapterVersion> chain, Map<Long, float[]> expected)
      throws Exception {
    int answered = 0;
    long last = 0;
    while (swapping.get()) {
      Api.Reply reply = api.predict("films", TEXT);
      assertThat(reply.status()).isEqualTo(200);
      long version = reply.body().get("version").asLong();
      assertThat(version).isGreaterThanOrEqualTo(last);
      assertThat(reply.body().get("sha256").asText())
          .isEqualTo(chain.get((int) version - 1).getSha256());
      assertThat(Api.logits(reply, TestAdapters.LABELS))
          .containsExactly(expected.get(version), offset(TestAdapters.ROUNDING));
      last = version;
      answered++;
    }
    return answered;
  }

  @Test
  void aRestartGoesOnWhereTheStoreStandsAndReadsNothingAgain() throws Exception {
    publisher.publish(TestAdapters.chain("films", 3));
    start();
    Await.until("ready", api::isReady);
    process.close();
    forget("films", 1);

    start();
    Await.until("ready", api::isReady);
    publisher.publish(TestAdapters.version("films", 4, null));
    Await.until("version 4 serves", () -> api.serving("films") == 4);

    assertThat(api.domain("films").get("versions"))
        .extracting(version -> version.get("version").asLong())
        .containsExactly(2L, 3L, 4L);
  }

  /** What is gone here comes back only if the topic is read again. */
  private void forget(String domain, long version) {
    try (AdapterStore store = AdapterStore.open(directory.resolve("adapters"))) {
      Map.Entry<Integer, Long> offset =
          store.offsets().entrySet().stream()
              .filter(e -> e.getValue() > 0)
              .findFirst()
              .orElseThrow();
      store.delete(domain, version, new StreamOffset(offset.getKey(), offset.getValue()));
    }
  }

  @Test
  void servesFromItsStoreWithoutKafkaAndGoesOnWhenItIsBack() throws Exception {
    List<AdapterVersion> chain = TestAdapters.chain("films", 2);
    publisher.publish(chain.get(0));
    start();
    Await.until("ready", api::isReady);
    broker.stop();
    try {
      restart();
      Api.Reply reply = api.predict("films", TEXT);
      assertThat(Api.logits(reply, TestAdapters.LABELS))
          .isEqualTo(TestAdapters.logits(chain.get(0), TEXT));
      Await.until("it says so", () -> !notices.isEmpty());
      assertThat(api.isReady()).isFalse();
    } finally {
      broker.start();
    }
    Await.until("ready again", api::isReady);
    publisher.publish(chain.get(1));
    Await.until("version 2 serves", () -> api.serving("films") == 2);
  }

  @Test
  void aRunningProcessStaysReadyWhileKafkaIsAway() throws Exception {
    publisher.publish(TestAdapters.chain("films", 1));
    start();
    Await.until("ready", api::isReady);
    broker.stop();
    try {
      Await.until("it says so", () -> api.get("/health/ready").body().get("reasons").size() == 1);
      assertThat(api.isReady()).isTrue();
      assertThat(api.predict("films", TEXT).status()).isEqualTo(200);
    } finally {
      broker.start();
    }
    Await.until(
        "all is well again", () -> api.get("/health/ready").body().get("reasons").isEmpty());
  }

  @Test
  void waitsForTheRegistryRatherThanSkipAVersion() throws Exception {
    publisher.publish(TestAdapters.chain("films", 1));
    registry.setFailing(true);
    start();
    Await.until("it says so", () -> api.get("/health/ready").body().get("reasons").size() == 2);

    registry.setFailing(false);

    Await.until("ready", api::isReady);
    assertThat(api.serving("films")).isEqualTo(1);
  }

  @Test
  void corruptedAndUnreadableRecordsDoNotKeepTheNextFromServing() throws Exception {
    List<AdapterVersion> chain = TestAdapters.chain("films", 3);
    publisher.publish(chain.get(0));
    start();
    Await.until("version 1 serves", () -> api.serving("films") == 1);

    publisher.publish(withPayload(chain.get(1), new byte[] {1, 2, 3}));
    publisher.publish("films", 8, new byte[] {9, 9, 9});
    Await.until(
        "both are told of",
        () -> {
          JsonNode ready = api.get("/health/ready").body();
          return ready.get("refused").asInt() == 1 && ready.get("unreadable").asInt() == 1;
        });
    assertThat(api.serving("films")).isEqualTo(1);
    Await.until("ready", api::isReady);

    publisher.publish(chain.get(2));
    Await.until("version 3 serves", () -> api.serving("films") == 3);
    restart();
    assertThat(api.serving("films")).isEqualTo(3);
    assertThat(api.domain("films").get("refusals").get(0).get("version").asLong()).isEqualTo(2);
  }

  private static AdapterVersion withPayload(AdapterVersion version, byte[] payload) {
    return AdapterVersion.newBuilder(version).setPayload(ByteBuffer.wrap(payload)).build();
  }

  @Test
  void aTombstoneTakesAVersionAway() throws Exception {
    publisher.publish(TestAdapters.chain("films", 2));
    start();
    Await.until("version 2 serves", () -> api.serving("films") == 2);

    publisher.publish("films", 2, null);

    Await.until("version 1 serves", () -> api.serving("films") == 1);
  }

  @Test
  void aTopicMadeAnewEmptiesTheStore() throws Exception {
    publisher.publish(TestAdapters.chain("films", 2));
    start();
    Await.until("ready", api::isReady);
    process.close();

    TestTopics.createAdapters(broker, PARTITIONS);
    publisher.publish(TestAdapters.chain("books", 1));
    start();
    Await.until("ready", api::isReady);

    assertThat(api.serving("books")).isEqualTo(1);
    assertThat(api.predict("films", TEXT).body().path("servedBy").asText()).isEqualTo("base");
    assertThat(notices).singleElement().asString().contains("another topic");
  }

  @Test
  void aTopicMadeAnewUnderARunningProcessReplacesWhatItServes() throws Exception {
    publisher.publish(TestAdapters.chain("films", 2));
    start();
    Await.until("version 2 serves", () -> api.serving("films") == 2);

    TestTopics.createAdapters(broker, PARTITIONS);
    publisher.publish(TestAdapters.chain("books", 1));

    Await.until(
        "only the new topic's version serves",
        () ->
            api.serving("books") == 1
                && api.predict("films", TEXT).body().path("servedBy").asText().equals("base"));
    Await.until("ready", api::isReady);
  }

  @Test
  void picksUpPartitionsThatAreAddedLater() throws Exception {
    start();
    Await.until("ready", api::isReady);
    broker.grow(Topics.ADAPTERS, 5);
    try (TestPublisher wider = new TestPublisher(settings(), 5)) {
      for (String domain : List.of("a", "b", "c", "d", "e", "f")) {
        wider.publish(TestAdapters.chain(domain, 1));
      }
    }

    Await.until("all serve", () -> api.get("/v1/adapters").body().get("domains").size() == 6);
  }
}
