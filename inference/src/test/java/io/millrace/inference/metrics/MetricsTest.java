package io.millrace.inference.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.settings.Settings;
import io.millrace.inference.ServingProcess;
import io.millrace.inference.ServingSettings;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.http.Api;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.StreamOffset;
import io.millrace.testing.Await;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Prometheus gets to see. */
@Tag("integration")
class MetricsTest {
  private static final String ODD = "odd \"name\"\\\nof two lines";

  @TempDir static Path directory;
  private static ServingProcess process;
  private static Api api;

  @BeforeAll
  static void start() throws Exception {
    try (AdapterStore store = AdapterStore.open(directory.resolve("adapters"))) {
      store.put(TestAdapters.version("films", 7, null), new StreamOffset(0, 1));
      store.put(TestAdapters.version(ODD, 2, null), new StreamOffset(0, 2));
      store.put(TestAdapters.misfit("books", 1), new StreamOffset(0, 3));
      store.put(TestAdapters.version("zoo", 3, null), new StreamOffset(0, 4));
    }
    Settings settings =
        Settings.of(
            ServingSettings.ALL,
            null,
            List.of(
                "model.store=" + TestAdapters.models(),
                "serving.metricsDomains=3",
                "kafka.bootstrap.servers=127.0.0.1:1"));
    process = ServingProcess.listen(settings, directory, 0, notice -> {});
    process.load((model, done, total) -> {});
    api = new Api(process.port());
  }

  @AfterAll
  static void stop() {
    process.close();
  }

  private static Scrape scrape() throws Exception {
    return Scrape.of(process.port());
  }

  @Test
  void requestsAreCountedByEndpointAndStatus() throws Exception {
    String good = "millrace_requests_total{endpoint=\"/v1/predict\",status=\"200\"}";
    String refused = "millrace_requests_total{endpoint=\"/v1/predict\",status=\"503\"}";
    String nowhere = "millrace_requests_total{endpoint=\"none\",status=\"404\"}";
    Scrape before = scrape();

    api.predict("films", "x");
    api.predict("films", "y");
    api.predict("books", "x");
    api.get("/a");
    api.get("/b");

    Await.until("all are counted", () -> scrape().value(nowhere) == before.value(nowhere) + 2);
    Scrape after = scrape();
    assertThat(after.value(good)).isEqualTo(before.value(good) + 2);
    assertThat(after.value(refused)).isEqualTo(before.samples().getOrDefault(refused, 0.0) + 1);
    assertThat(after.samples().keySet()).noneMatch(series -> series.contains("\"/a\""));
  }

  @Test
  void everyPredictionHasALatency() throws Exception {
    double before = scrape().value("millrace_prediction_seconds_count");
    api.predict("films", "x");
    api.predict("books", "x");

    Scrape after = scrape();
    assertThat(after.types()).containsEntry("millrace_prediction_seconds", "histogram");
    assertThat(after.value("millrace_prediction_seconds_count")).isEqualTo(before + 1);
    assertThat(after.value("millrace_prediction_seconds_bucket{le=\"+Inf\"}"))
        .isEqualTo(before + 1);
    assertThat(after.value("millrace_prediction_seconds_bucket{le=\"10.0\"}"))
        .isEqualTo(before + 1);
    assertThat(after.value("millrace_prediction_seconds_sum")).isBetween(1e-6, 60.0);
  }

  @Test
  void theVersionsInUseAreThoseOfABoundedNumberOfDomains() throws Exception {
    Scrape scrape = scrape();

    assertThat(scrape.value("millrace_domains")).isEqualTo(4);
    assertThat(scrape.value("millrace_serving_version{domain=\"films\"}")).isEqualTo(7);
    assertThat(
            scrape.value(
                "millrace_serving_version{domain=\"odd \\\"name\\\"\\\\\\nof two lines\"}"))
        .isEqualTo(2);
    assertThat(scrape.samples().keySet())
        .filteredOn(series -> series.startsWith("millrace_serving_version"))
        .hasSize(2);
    assertThat(scrape.value("millrace_refused_versions")).isEqualTo(1);
    assertThat(scrape.value("millrace_caught_up")).isZero();
  }

  @Test
  void aProcessThatCannotReadTheLogSaysSo() throws Exception {
    Await.until("it has noticed", () -> scrape().value("millrace_log_up") == 0);
    assertThat(scrape().samples()).containsEntry("millrace_log_up", 0.0);
  }

  @Test
  void itSpeaksTheFormatItIsAskedFor() throws Exception {
    assertThat(scrape().contentType()).startsWith("text/plain; version=0.0.4");
    assertThat(Scrape.of(process.port(), "*/*").contentType()).startsWith("text/plain");
    assertThat(
            Scrape.of(process.port(), "application/vnd.google.protobuf;q=0.9,text/plain;q=0.1")
                .contentType())
        .startsWith("text/plain");
  }
}
