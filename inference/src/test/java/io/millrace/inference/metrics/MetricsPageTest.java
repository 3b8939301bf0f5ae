package io.millrace.inference.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.process.BuildVersion;
import io.millrace.client.settings.Settings;
import io.millrace.inference.ServingProcess;
import io.millrace.inference.ServingSettings;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.TestPublisher;
import io.millrace.inference.TestTopics;
import io.millrace.inference.http.Api;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.MetricsPage;
import io.millrace.testing.MetricsPage.Metric;
import io.millrace.testing.Services;
import io.millrace.testing.StubRegistry;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Two serving processes of one log: what they expose, and the tables of it. */
@Tag("integration")
@ExtendWith(Services.class)
class MetricsPageTest {
  private static final Path PAGE = Path.of("..", "docs", "metrics.md");
  private static final String TOKEN = "a-secret";
  private static final String DIGEST = "millrace_serving_digest";
  private static final String ROLLBACKS = "millrace_rollout_events_total{action=\"rollback\"}";

  @TempDir static Path directory;
  private static KafkaBroker broker;
  private static StubRegistry registry;
  private static TestPublisher publisher;
  private static ServingProcess process;
  private static ServingProcess replica;

  @BeforeAll
  static void start(KafkaBroker kafka, StubRegistry schemas) throws Exception {
    broker = kafka;
    registry = schemas;
    TestTopics.createAdapters(broker, 1);
    TestTopics.createRollouts(broker, 1);
    publisher = new TestPublisher(settings(), 1);
    publisher.publish(TestAdapters.chain("films", 3));
    process = serve("one");
    replica = serve("two");
  }

  @AfterAll
  static void stop() {
    replica.close();
    process.close();
    publisher.close();
  }

  private static ServingProcess serve(String data) throws Exception {
    ServingProcess serving =
        ServingProcess.listen(
            settings("serving.rolloutToken=" + TOKEN), directory.resolve(data), 0, notice -> {});
    serving.load((model, done, total) -> {});
    Api api = new Api(serving.port());
    Await.until("ready", api::isReady);
    Await.until("the newest serves", () -> api.serving("films") > 0);
    return serving;
  }

  private static Settings settings(String... more) {
    List<String> sets =
        new ArrayList<>(
            List.of(
                "model.store=" + TestAdapters.models(),
                "kafka.bootstrap.servers=" + broker.bootstrapServers(),
                "schema.registry.url=" + registry.url()));
    sets.addAll(List.of(more));
    return Settings.of(ServingSettings.ALL, null, sets);
  }

  private static void decide(String action, String body) throws Exception {
    Api api = new Api(process.port());
    Api.Reply reply = api.post("/v1/rollouts/" + action, body, TOKEN);
    assertThat(reply.status()).as(reply.body().toString()).isEqualTo(200);
  }

  @Test
  void thePageListsAllMetricsOfAServingProcess() throws Exception {
    Api api = new Api(process.port());
    decide("pin", "{\"domain\": \"films\", \"version\": 2}");
    decide("canary", "{\"domain\": \"films\", \"version\": 3, \"share\": 0.5}");
    api.predict("films", "x");
    api.post("/v1/predict", "{\"inputs\": [{\"domain\": \"films\", \"text\": \"x\"}]}", TOKEN);
    api.feedback("unknown", "x");

    // What a pool has allocated shows from the first collection on.
    System.gc();

    Map<String, Metric> page = new TreeMap<>(MetricsPage.table(PAGE, "Serving"));
    page.putAll(MetricsPage.table(PAGE, "The Java virtual machine of serving"));
    Await.value(
        "what is exposed is on the page",
        () ->
            MetricsPage.differences(
                page, MetricsPage.exposed(Scrape.text(process.port()), Set.of())),
        List::isEmpty);
  }

  @Test
  void theBuildIsNamed() throws Exception {
    assertThat(Scrape.of(process.port()).samples())
        .containsEntry(
            "millrace_build_info{java=\"%s\",version=\"%s\"}"
                .formatted(Runtime.version(), BuildVersion.text()),
            1.0);
  }

  @Test
  void aRollbackShowsInEveryReplica() throws Exception {
    decide("policy", "{\"domain\": \"films\", \"policy\": \"manual\"}");
    decide("pin", "{\"domain\": \"films\", \"version\": 3}");
    Await.until("they agree", () -> digest(process) == digest(replica));
    double digest = digest(process);
    double before = Scrape.of(replica.port()).value(ROLLBACKS);

    decide("rollback", "{\"domain\": \"films\", \"version\": 1}");

    Await.until(
        "the replica counts it", () -> Scrape.of(replica.port()).value(ROLLBACKS) == before + 1);
    Await.until("they agree again", () -> digest(process) == digest(replica));
    assertThat(digest(replica)).isNotEqualTo(digest).isPositive();
  }

  /** It reads a log that others wrote before it was there. */
  @Test
  void whatWasWrittenBeforeTheStartIsNotCounted() throws Exception {
    decide("pin", "{\"domain\": \"films\", \"version\": 2}");
    try (ServingProcess late = serve("late")) {
      Scrape scrape = Scrape.of(late.port());

      assertThat(scrape.samples())
          .containsEntry("millrace_rollout_events_total{action=\"pin\"}", 0.0);
      assertThat(scrape.value("millrace_log_up")).isEqualTo(1);
      assertThat(scrape.samples().get("millrace_lag_seconds{partition=\"0\",topic=\"rollouts\"}"))
          .isBetween(0.0, 30.0);
    }
  }

  private static double digest(ServingProcess serving) throws Exception {
    return Scrape.of(serving.port()).value(DIGEST);
  }
}
