package io.millrace.inference;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.settings.Settings;
import io.millrace.schemas.Topics;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import io.millrace.testing.StubRegistry;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The page as somebody sees it: from the topics to Chromium, through a serving process. */
@Tag("integration")
@ExtendWith(Services.class)
class PageInBrowserTest {
  private static final String TOKEN = "a-secret";
  private static final int PARTITIONS = 2;

  @TempDir static Path directory;
  private static KafkaBroker broker;
  private static StubRegistry registry;
  private static TestPublisher publisher;
  private static TestDecisions decisions;
  private static TestProgress progress;
  private static ServingProcess process;
  private static Browser browser;

  @BeforeAll
  static void start(KafkaBroker kafka, StubRegistry schemas) throws Exception {
    Browser.requireChromium();
    broker = kafka;
    registry = schemas;
    TestTopics.createAdapters(broker, PARTITIONS);
    TestTopics.createRollouts(broker, PARTITIONS);
    broker.create(Topics.TRAINING_PROGRESS, PARTITIONS, Map.of());
    broker.create(Topics.DEAD_LETTERS, 1, Map.of());
    publisher = new TestPublisher(settings(), PARTITIONS);
    decisions = new TestDecisions(settings());
    progress = new TestProgress(settings());
    process =
        ServingProcess.listen(
            settings("serving.rolloutToken=" + TOKEN), directory.resolve("serve"), 0, line -> {});
    process.load((model, done, total) -> {});
    browser = Browser.start(directory.resolve("profile"));
  }

  @AfterAll
  static void stop() {
    if (browser != null) {
      browser.close();
      process.close();
      publisher.close();
      decisions.close();
      progress.close();
    }
  }

  @AfterEach
  void nothingWasRefusedByTheBrowser() {
    if (browser != null) {
      browser.assertNoComplaints();
    }
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

  private static void open(String hash) {
    browser.open("http://127.0.0.1:" + process.port() + "/" + hash);
  }

  private static double shown(String css) {
    return Double.parseDouble(browser.text(css).replaceAll("[^0-9.]", ""));
  }

  @Test
  void theCurveRisesAsTheJobReports() throws Exception {
    Instant begin = Instant.now().minusSeconds(600);
    for (int i = 0; i < 40; i++) {
      progress.step("films", begin.plusSeconds(i), 1, 5, i % 4 == 0 ? 5 : -1);
    }
    progress.flush();
    open("#/domain/films");
    browser.awaitText("#trained", "step 40");
    double before = shown("#key-adapted");

    for (int i = 40; i < 100; i++) {
      progress.step("films", begin.plusSeconds(i), 2, 14, i % 4 == 0 ? 8 : -1);
    }
    progress.flush();

    browser.awaitText("#trained", "step 100");
    assertThat(before).isLessThan(40);
    assertThat(shown("#key-adapted")).isGreaterThan(80);
    assertThat(shown("#key-frozen")).isBetween(40.0, 60.0);
    browser.find("#chart-table summary").click();
    Await.until(
        "the table has the points", () -> browser.all("#chart-table tbody tr").size() == 100);
    assertThat(browser.text("#chart-table tbody tr:first-child")).contains("100", "%");
    assertThat(browser.text("#gain-of")).contains("adapted", "frozen", "95 %");
    browser.picture("first");
  }
}
