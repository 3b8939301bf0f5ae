package io.millrace.pipeline.job;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.LoopbackPort;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.MetricsPage;
import io.millrace.testing.MetricsPage.Metric;
import io.millrace.testing.Services;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.metrics.prometheus.PrometheusReporterFactory;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The job's metrics as Flink's reporter gives them to Prometheus, and their table. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(180)
class JobMetricsTest {
  private static final Path PAGE =
      Path.of(System.getProperty("millrace.home"), "docs", "metrics.md");
  private static final String OWN = "flink_taskmanager_job_task_operator_millrace_";

  /** Flink's reporter puts an underscore into such a name unless it is told not to. */
  private static final String DOMAIN = "acme/films";

  /** Which operator it is, of which task, job and task manager. */
  private static final Set<String> PLACE =
      Set.of(
          "host",
          "tm_id",
          "job_id",
          "job_name",
          "task_id",
          "task_name",
          "task_attempt_id",
          "task_attempt_num",
          "subtask_index",
          "operator_id",
          "operator_name");

  @TempDir private Path directory;

  @Test
  void thePageListsTheMetricsOfARunningJob(KafkaBroker kafka, ApicurioRegistry registry)
      throws Exception {
    Settings set =
        JobTestSettings.of(
            "batch.size=4",
            "batch.timeout=none",
            "publish.everySteps=1",
            "checkpoint.interval=200ms",
            "rollout.policy=canary",
            "topics.partitions=1");
    Settings settings = TestStack.renew(kafka, registry, set).connect(set);
    int port = LoopbackPort.claim(0, "the reporter", "port");
    try (MiniCluster flink = flink(port)) {
      flink.start();
      FlinkJob job =
          FlinkJob.submit(
              "127.0.0.1",
              flink.getRestAddress().get().getPort(),
              settings,
              directory.resolve("checkpoints").toString(),
              Optional.empty(),
              AdaptationJob.Input.UNBOUNDED);
      Await.value(
          "the metrics are those of the page",
          Duration.ofMinutes(2),
          () -> {
            job.requireAlive();
            send(new Connection(settings));
            return differences(MetricsPage.exposed(text(port), PLACE));
          },
          List::isEmpty);
      assertThat(text(port)).contains("millrace_domain_loss{", "domain=\"" + DOMAIN + "\"");
    }
  }

  private MiniCluster flink(int port) {
    Configuration configuration = new Configuration();
    configuration.set(CoreOptions.TMP_DIRS, directory.toString());
    configuration.set(RestOptions.ADDRESS, "127.0.0.1");
    configuration.set(RestOptions.BIND_ADDRESS, "127.0.0.1");
    configuration.set(RestOptions.BIND_PORT, "0");
    configuration.setString(
        "metrics.reporter.prom.factory.class", PrometheusReporterFactory.class.getName());
    configuration.setString("metrics.reporter.prom.port", Integer.toString(port));
    configuration.setString("metrics.reporter.prom.filterLabelValueCharacters", "false");
    return new MiniCluster(
        new MiniClusterConfiguration.Builder()
            .setConfiguration(configuration)
            .setNumTaskManagers(1)
            .setNumSlotsPerTaskManager(1)
            .build());
  }

  private static String text(int port) throws Exception {
    URI metrics = URI.create("http://127.0.0.1:" + port + "/metrics");
    return HttpClient.newHttpClient()
        .send(HttpRequest.newBuilder(metrics).build(), BodyHandlers.ofString())
        .body();
  }

  /** All that the operators add is on the page; of what Flink has, the page chooses. */
  private static List<String> differences(Map<String, Metric> exposed) throws IOException {
    Map<String, Metric> own = new TreeMap<>(exposed);
    own.keySet().removeIf(name -> !name.startsWith(OWN));
    List<String> differences =
        new ArrayList<>(MetricsPage.differences(MetricsPage.table(PAGE, "The job"), own));
    Map<String, Metric> chosen = MetricsPage.table(PAGE, "Flink");
    Map<String, Metric> flink = new TreeMap<>(exposed);
    flink.keySet().retainAll(chosen.keySet());
    differences.addAll(MetricsPage.differences(chosen, flink));
    return differences;
  }

  /** Enough for another version, and an example that becomes a dead letter. */
  private static void send(Connection connection) {
    try (Serializer<Object> serializer = connection.serializer();
        KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<>(
                connection.properties(), new ByteArraySerializer(), new ByteArraySerializer())) {
      for (String text : new String[] {"good", "bad", "fine", "poor", " "}) {
        LabeledExample example =
            new LabeledExample(
                "id", DOMAIN, text, text.length() == 4 ? "long" : "short", null, 1f, Map.of());
        byte[] value = serializer.serialize(Topics.LABELED_EXAMPLES, example);
        producer.send(new ProducerRecord<>(Topics.LABELED_EXAMPLES, DOMAIN.getBytes(UTF_8), value));
      }
    }
  }
}
