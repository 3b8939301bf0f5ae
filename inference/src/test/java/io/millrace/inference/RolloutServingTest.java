package io.millrace.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.settings.Settings;
import io.millrace.inference.http.Api;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.serving.CanaryShare;
import io.millrace.inference.serving.Rollouts;
import io.millrace.inference.store.AdapterStore;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutRefusedException;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import io.millrace.testing.StubRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Whole processes against a real broker: from the log of rollouts to which version answers. */
@Tag("integration")
@ExtendWith(Services.class)
class RolloutServingTest {
  private static final int PARTITIONS = 2;
  private static final String TEXT = "a fine film";
  private static final ObjectMapper JSON = new ObjectMapper();

  private static KafkaBroker broker;
  private static StubRegistry registry;

  @TempDir Path directory;
  private final List<String> notices = new CopyOnWriteArrayList<>();
  private final List<ServingProcess> processes = new ArrayList<>();
  private final List<Process> children = new ArrayList<>();
  private TestPublisher publisher;
  private TestDecisions decisions;

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
    decisions = new TestDecisions(settings());
  }

  @AfterEach
  void stop() {
    publisher.close();
    decisions.close();
    processes.forEach(ServingProcess::close);
    children.forEach(Process::destroyForcibly);
  }

  private static List<String> assignments() {
    return List.of(
        "model.store=" + TestAdapters.models(),
        "kafka.bootstrap.servers=" + broker.bootstrapServers(),
        "schema.registry.url=" + registry.url());
  }

  private static Settings settings() {
    return Settings.of(ServingSettings.ALL, null, assignments());
  }

  private Api start(String data) throws Exception {
    ServingProcess process =
        ServingProcess.listen(settings(), directory.resolve(data), 0, notices::add);
    processes.add(process);
    process.load((model, done, total) -> {});
    return new Api(process.port());
  }

  private void stopAll() {
    processes.forEach(ServingProcess::close);
    processes.clear();
  }

  private void publish(List<AdapterVersion> versions) {
    publisher.publishWithEvents(versions);
    decisions.published(versions);
  }

  /** As some clients in other languages choose partitions, unless they are told. */
  @Test
  void aDecisionInAnotherPartitionThanItsDomainsHasNoEffect() throws Exception {
    publish(TestAdapters.chain("films", 3));
    Api api = start("astray");
    Await.until("version 3 serves", () -> api.isReady() && api.serving("films") == 3);

    RolloutEvent pin = decisions.make("films", d -> d.pin(1L));
    decisions.appendAstray(pin, PARTITIONS);
    decisions.decide("films", d -> d.pin(2L));

    Await.until("version 2 serves", () -> api.serving("films") == 2);
    assertThat(decisions.state("films").revision()).isEqualTo(1);
  }

  @Test
  void decisionsSayWhatServesAndARestartKnowsThemBeforeItReadsAnything() throws Exception {
    List<AdapterVersion> chain = TestAdapters.chain("films", 4);
    publish(chain.subList(0, 3));
    Api api = start("a");
    Await.until("version 3 serves", () -> api.isReady() && api.serving("films") == 3);

    decisions.decide("films", d -> d.rollback(null));
    Await.until("version 2 serves", () -> api.serving("films") == 2);
    publish(chain.subList(3, 4));
    decisions.decide("films", d -> d.canary(4L, 0.5));
    Await.until("version 4 is tried", () -> candidate(api, "films") == 4);
    assertThat(api.serving("films")).isEqualTo(2);

    stopAll();
    broker.stop();
    Api again;
    try {
      again = start("a");
      assertThat(again.serving("films")).isEqualTo(2);
      assertThat(candidate(again, "films")).isEqualTo(4);
      assertThat(again.isReady()).isFalse();
    } finally {
      broker.start();
    }
    Await.until("ready", again::isReady);
    decisions.decide("films", d -> d.promote(null));
    Await.until("version 4 serves", () -> again.serving("films") == 4);
    assertThat(candidate(again, "films")).isZero();
  }

  @Test
  void aRollbackTakesEffectWithinASecondThoughAKilledJobLeftATransactionOpen() throws Exception {
    List<AdapterVersion> chain = TestAdapters.chain("films", 3);
    publish(chain.subList(0, 2));
    Api api = start("a");
    Await.until("version 2 serves", () -> api.isReady() && api.serving("films") == 2);
    try (TestPublisher killed = new TestPublisher(settings(), PARTITIONS)) {
      killed.publishWithEventAndDie(chain.get(2));
    }

    decisions.decide("films", d -> d.rollback(null));
    long appended = System.nanoTime();
    Await.until("version 1 serves", () -> api.serving("films") == 1);

    assertThat(Duration.ofNanos(System.nanoTime() - appended)).isLessThan(Duration.ofSeconds(1));
    assertThat(api.isReady()).isTrue();
    // And one that starts now is not held up by it, either.
    Api late = start("b");
    Await.until("the late one is ready", late::isReady);
    assertThat(late.serving("films")).isEqualTo(1);
  }

  @Test
  void aKeyStaysWithItsVersionAtEveryReplicaAndEachVersionAnswersForItself() throws Exception {
    List<AdapterVersion> chain = TestAdapters.chain("films", 2);
    publish(chain);
    decisions.decide("films", d -> d.policy(RolloutPolicy.MANUAL, null));
    decisions.decide("films", d -> d.promote(1L));
    decisions.decide("films", d -> d.canary(2L, 0.4));
    Api one = start("a");
    Api other = start("b");
    Await.until(
        "both try it", () -> candidate(one, "films") == 2 && candidate(other, "films") == 2);
    assertThat(one.domain("films").get("candidate").get("share").asDouble()).isEqualTo(0.4);

    CanaryShare share = new CanaryShare("films", chain.get(1).getSha256(), 0.4);
    for (int i = 0; i < 40; i++) {
      long expected = share.holds("key " + i) ? 2 : 1;
      Api.Reply reply = ask(i % 2 == 0 ? one : other, "key " + i, i % 3 == 0);
      assertThat(reply.body().get("version").asLong()).isEqualTo(expected);
      AdapterVersion version = chain.get((int) expected - 1);
      assertThat(reply.body().get("sha256").asText()).isEqualTo(version.getSha256());
      assertThat(Api.logits(reply, TestAdapters.LABELS))
          .containsExactly(TestAdapters.logits(version, TEXT), offset(TestAdapters.ROUNDING));
    }
  }

  /** As a key of its own, or as the request's id. */
  private static Api.Reply ask(Api api, String key, boolean asId) throws Exception {
    Map<String, String> body =
        asId
            ? Map.of("domain", "films", "text", TEXT, "requestId", key)
            : Map.of("domain", "films", "text", TEXT, "key", key);
    return api.post("/v1/predict", JSON.writeValueAsBytes(body));
  }

  @Test
  void aVersionThatIsRefusedLeavesTheLastGoodOneServingAndIsToldOf() throws Exception {
    List<AdapterVersion> versions =
        List.of(TestAdapters.version("films", 1, null), TestAdapters.misfit("films", 2));
    publish(versions.subList(0, 1));
    Api api = start("a");
    Await.until("version 1 serves", () -> api.isReady() && api.serving("films") == 1);
    publish(versions.subList(1, 2));

    Await.until("it says so", () -> notServed(api).size() == 1);
    JsonNode told = notServed(api).get(0);
    assertThat(told.get("domain").asText()).isEqualTo("films");
    assertThat(told.get("version").asLong()).isEqualTo(2);
    assertThat(told.get("reason").asText()).startsWith("it is refused: ");
    assertThat(told.get("serves").asLong()).isEqualTo(1);
    assertThat(api.serving("films")).isEqualTo(1);

    decisions.decide("films", d -> d.pin(2L));
    // Somebody knows of a version that never came here.
    VersionRef unknown = new VersionRef(9L, "9".repeat(64));
    decisions.append(
        new RolloutDecisions(
                decisions.state("films"), new TreeMap<>(Map.of(9L, unknown)), "tester", "")
            .pin(9L));
    Await.until(
        "it says that there is no version 9",
        () -> notServed(api).path(0).path("version").asLong() == 9);
    assertThat(notServed(api).get(0).get("reason").asText())
        .isEqualTo("it is not in the local store");
    assertThat(api.serving("films")).isEqualTo(1);
    stopAll();
    assertThat(start("a").serving("films")).isEqualTo(1);
  }

  private static JsonNode notServed(Api api) throws Exception {
    return api.get("/health/ready").body().get("someNotServed");
  }

  @Test
  void withoutTheTopicItServesOnIsNotReadyAndSaysWhatToDo() throws Exception {
    broker.delete("rollouts");
    publisher.publish(TestAdapters.chain("films", 2));
    Api api = start("a");

    Await.until("version 2 serves", () -> api.serving("films") == 2);
    Await.until("it says so", () -> !notices.isEmpty());
    assertThat(api.isReady()).isFalse();
    assertThat(notices)
        .containsExactly(
            "Kafka at %s has no topic rollouts: make it with millrace topics; trying again until it works"
                .formatted(broker.bootstrapServers()));

    TestTopics.createRollouts(broker, PARTITIONS);
    Await.until("ready", api::isReady);
    publish(TestAdapters.chain("films", 1));
    Await.until("what the log names serves", () -> api.serving("films") == 1);
  }

  @Test
  void aTopicOfRolloutsMadeAnewReplacesWhatTheOldOneSaid() throws Exception {
    publish(TestAdapters.chain("films", 2));
    decisions.decide("films", d -> d.pin(1L));
    Api api = start("a");
    Await.until("version 1 serves", () -> api.isReady() && api.serving("films") == 1);

    TestTopics.createRollouts(broker, PARTITIONS);

    Await.until("the newest serves", () -> api.serving("films") == 2);
  }

  @Test
  void replicasStartedLateKilledAndRestartedAgreeWithTheLog() throws Exception {
    Random random = new Random(5);
    List<String> domains = List.of("films", "books");
    publish(TestAdapters.chain("films", 4));
    publish(TestAdapters.chain("books", 4));
    Api first = start("first");
    Process killed = child("killed");
    decideAtRandom(random, domains, 60);
    Await.until("the child serves", () -> Files.exists(port(killed)));
    Await.until("it is ready", () -> api(killed).isReady());

    decideAtRandom(random, domains, 20);
    killed.destroyForcibly().waitFor();
    publish(TestAdapters.chain("films", 6).subList(4, 6));
    decideAtRandom(random, domains, 60);
    Process restarted = child("killed");
    Api late = start("late");
    Await.until("the child serves again", () -> Files.exists(port(restarted)));
    decideAtRandom(random, domains, 20);

    for (Api api : List.of(first, late, api(restarted))) {
      Await.until("ready", api::isReady);
      for (String domain : domains) {
        Rollout expected = decisions.state(domain);
        assertThat(expected.revision()).isGreaterThan(20);
        Await.until(
            "it agrees with the log on " + domain,
            () ->
                api.serving(domain) == number(expected.stable().orElse(null))
                    && candidate(api, domain) == number(expected.candidate())
                    && share(api, domain) == (expected.candidate() == null ? 0 : expected.share()));
      }
    }
    stopAll();
    assertHistoryIsWhole("first", domains);
    assertHistoryIsWhole("late", domains);
  }

  private void decideAtRandom(Random random, List<String> domains, int times) throws Exception {
    for (int i = 0; i < times; i++) {
      String domain = domains.get(random.nextInt(domains.size()));
      long version = 1L + random.nextInt(4);
      int what = random.nextInt(6);
      try {
        RolloutEvent event =
            decisions.decide(
                domain,
                d ->
                    switch (what) {
                      case 0 -> d.canary(version, 0.1 * (1 + random.nextInt(10)));
                      case 1 -> d.promote(version);
                      case 2 -> d.rollback(version);
                      case 3 -> d.pin(version);
                      case 4 -> d.rollback(null);
                      default ->
                          d.policy(
                              RolloutPolicy.values()[random.nextInt(3)],
                              0.1 * (1 + random.nextInt(10)));
                    });
        if (random.nextInt(4) == 0) {
          // Too late: on top of a revision that is none any more.
          decisions.append(RolloutEvent.newBuilder(event).setEventId("stale " + i).build());
        }
      } catch (RolloutRefusedException e) {
        // Nothing to append.
      }
    }
  }

  private void assertHistoryIsWhole(String data, List<String> domains) {
    try (AdapterStore store = AdapterStore.open(directory.resolve(data).resolve("adapters"))) {
      Rollouts rollouts = new Rollouts(store, new ServingMetrics());
      rollouts.load();
      for (String domain : domains) {
        Rollouts.Part history = rollouts.history(domain, null, event -> true, Integer.MAX_VALUE);
        assertThat(rollouts.of(domain)).isEqualTo(decisions.state(domain));
        assertThat(history.state()).isEqualTo(decisions.state(domain));
        assertThat(history.entries()).anyMatch(entry -> entry.objection() != null);
        assertThat(history.entries())
            .isSortedAccordingTo(
                (a, b) -> Long.compare(a.time().toEpochMilli(), b.time().toEpochMilli()));
      }
    }
  }

  private static long number(VersionRef ref) {
    return ref == null ? 0 : ref.getVersion();
  }

  private static long candidate(Api api, String domain) throws Exception {
    return api.domain(domain).path("candidate").path("version").asLong();
  }

  private static double share(Api api, String domain) throws Exception {
    return api.domain(domain).path("candidate").path("share").asDouble();
  }

  private Process child(String data) throws IOException {
    Path port = directory.resolve("port-" + children.size());
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx400m", "-XX:+UseSerialGC", "-Dai.djl.offline=true"));
    command.add("-Dmillrace.home=" + directory);
    command.addAll(List.of("-Dlog4j2.configurationFile=log4j2.xml"));
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), ServeCommand.class.getName()));
    command.addAll(List.of("--data", directory.resolve(data).toString()));
    command.addAll(List.of("--port", "0", "--port-file", port.toString()));
    assignments().forEach(assignment -> command.addAll(List.of("--set", assignment)));
    Path output = directory.resolve("out-" + children.size());
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    children.add(process);
    return process;
  }

  private Path port(Process child) {
    return directory.resolve("port-" + children.indexOf(child));
  }

  private Api api(Process child) throws IOException {
    assertThat(child.isAlive()).isTrue();
    return new Api(Integer.parseInt(Files.readString(port(child)).strip()));
  }
}
