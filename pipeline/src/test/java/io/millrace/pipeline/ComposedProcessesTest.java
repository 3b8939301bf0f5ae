package io.millrace.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.schemas.TrainingStep;
import io.millrace.svft.model.ModelStore;
import io.millrace.testing.Await;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The topology of docker-compose.yml as processes, through what an operator does to it. */
@Tag("integration")
@Timeout(400)
class ComposedProcessesTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration PATIENCE = Duration.ofMinutes(2);
  private static final int BATCH = 16;
  private static final int STEPS = 60;
  private static final int ALL_STEPS = 70;

  @TempDir private Path directory;

  private final HttpClient http = HttpClient.newHttpClient();
  private final List<TrainingStep> steps = new ArrayList<>();

  @Test
  void itGoesOnWhereItWasWhenTheJobManagerOrAllOfItIsKilled() throws Exception {
    new ModelStore(Path.of(System.getProperty("millrace.test.models")))
        .prepare("minilm", (model, done, total) -> {});
    try (ComposedProcesses compose = new ComposedProcesses(directory)) {
      compose.start();
      produce(compose, 0, 10 * BATCH);
      awaitVersion(compose, 1);

      try (RunRecord record = new RunRecord(connection(compose), listener())) {
        produce(compose, 10 * BATCH, STEPS * BATCH);
        awaitSteps(record, 20);
        compose.kill("jobmanager");
        record.readToEnd();
        assertThat(steps).hasSizeLessThan(STEPS);
        assertThat(compose.isJobHealthy()).isFalse();

        compose.restart("jobmanager");
        awaitPrinted(compose, "its job manager has started anew");
        awaitPrinted(compose, "It goes on from file:");
        compose.awaitJobHealthy();
        awaitSteps(record, STEPS);
        record.readToEnd();
        assertNothingIsLostOrDoubled(STEPS);
      }
      awaitVersion(compose, STEPS / 10);
      assertThat(metrics(compose, "jobmanager-metrics")).contains("flink_jobmanager_");
      assertThat(metrics(compose, "taskmanager-metrics")).contains("flink_taskmanager_");

      compose.restartAll();
      compose.awaitJobBack();
      try (RunRecord record = new RunRecord(connection(compose), listener())) {
        steps.clear();
        produce(compose, STEPS * BATCH, ALL_STEPS * BATCH);
        awaitSteps(record, ALL_STEPS);
        assertNothingIsLostOrDoubled(ALL_STEPS);
      }
      awaitVersion(compose, ALL_STEPS / 10);
      assertThat(decide(compose, "another")).isEqualTo(401);
      assertThat(decide(compose, ComposedProcesses.TOKEN)).isEqualTo(200);

      // Training again from the record, undisturbed, comes to the same hashes.
      assertSucceeds(compose.tools("", "replay", "--all"));
      assertSucceeds(compose.tools("", "stop", "--flink", "jobmanager:8081"));
      awaitPrinted(compose, "Staying without a job");
      assertThat(compose.isAlive("submit")).isTrue();
      assertThat(compose.isJobHealthy()).isFalse();
      assertThat(compose.hasLogFiles()).isFalse();
      assertThat(compose.printed("submit")).doesNotContain("TypeExtractor");
    }
  }

  private static void produce(ComposedProcesses compose, int from, int to) throws Exception {
    String lines =
        IntStream.range(from, to)
            .mapToObj(
                i ->
                    "{\"domain\": \"films\", \"text\": \"%s number %d\", \"label\": \"%s\"}"
                        .formatted(i % 2 == 0 ? "good" : "bad", i, i % 2 == 0 ? "yes" : "no"))
            .collect(Collectors.joining("\n", "", "\n"));
    assertSucceeds(compose.tools(lines, "produce", "--input", "-"));
  }

  private static void assertSucceeds(ComposedProcesses.Said said) {
    assertThat(said.exitCode()).as(said.text()).isZero();
  }

  private static Connection connection(ComposedProcesses compose) {
    return new Connection(
        Settings.of(
            Connection.SETTINGS,
            null,
            List.of(
                "kafka.bootstrap.servers=127.0.0.1:" + compose.port("host"),
                "schema.registry.url=http://127.0.0.1:%s/apis/ccompat/v7"
                    .formatted(compose.port("registry")))));
  }

  private RunRecord.Listener listener() {
    return new RunRecord.Listener() {
      @Override
      public void took(TrainingStep step) {
        steps.add(step);
      }
    };
  }

  private void awaitSteps(RunRecord record, int count) throws Exception {
    Await.value(
        count + " steps are committed",
        PATIENCE,
        () -> {
          record.poll(Duration.ofMillis(50));
          return steps.size();
        },
        size -> size >= count);
  }

  private void assertNothingIsLostOrDoubled(int count) {
    assertThat(steps)
        .map(TrainingStep::getStep)
        .containsExactlyElementsOf(LongStream.rangeClosed(1, count).boxed().toList());
    assertThat(steps).allMatch(step -> step.getCorrect().size() == BATCH);
  }

  /** By each replica, and through the proxy where HAProxy is installed. */
  private void awaitVersion(ComposedProcesses compose, int version) throws Exception {
    for (String address : compose.predicting()) {
      Await.value(
          "version %d answers at %s".formatted(version, address),
          PATIENCE,
          () -> versionAt(address),
          answered -> answered == version);
    }
  }

  private int versionAt(String address) throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://" + address + "/v1/predict"))
            .header("Content-Type", "application/json")
            .timeout(Duration.ofSeconds(10))
            .POST(BodyPublishers.ofString("{\"domain\": \"films\", \"text\": \"good\"}"))
            .build();
    HttpResponse<String> answer = http.send(request, BodyHandlers.ofString());
    return JSON.readTree(answer.body()).path("version").asInt();
  }

  /** The status of a decision through whatever comes last on the way of requests. */
  private int decide(ComposedProcesses compose, String token) throws Exception {
    List<String> addresses = compose.predicting();
    String address = addresses.get(addresses.size() - 1);
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://" + address + "/v1/rollouts/policy"))
            .header("Content-Type", "application/json")
            .header("Authorization", "Bearer " + token)
            .timeout(Duration.ofSeconds(20))
            .POST(BodyPublishers.ofString("{\"domain\": \"films\", \"policy\": \"manual\"}"))
            .build();
    return http.send(request, BodyHandlers.discarding()).statusCode();
  }

  /** What Prometheus would scrape. */
  private String metrics(ComposedProcesses compose, String port) throws Exception {
    URI address = URI.create("http://127.0.0.1:" + compose.port(port) + "/metrics");
    return http.send(HttpRequest.newBuilder(address).build(), BodyHandlers.ofString()).body();
  }

  private static void awaitPrinted(ComposedProcesses compose, String text) throws Exception {
    Await.value(
        "submit says: " + text,
        PATIENCE,
        () -> compose.printed("submit"),
        said -> said.contains(text));
  }
}
