package io.millrace.pipeline.job;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.embedded.RegistryProcess;
import io.millrace.pipeline.embedded.TopicLayout;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.JobHealth;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.api.common.JobStatus;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * The registry goes away when the job has read its examples, and has not yet asked how to write a
 * training step. Batches hold four examples.
 */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(120)
class RegistryAwayTest {
  @TempDir private Path directory;

  private RegistryProcess registry;
  private KafkaBroker kafka;
  private EmbeddedFlink flink;
  private Settings settings;
  private Connection connection;
  private FlinkJob job;

  @BeforeEach
  void closeTheRegistryWhenABatchIsReadButForItsLastExample(KafkaBroker broker) throws Exception {
    registry = registry(0);
    broker.clear();
    kafka = broker;
    flink = EmbeddedFlink.start(directory.resolve("flink"), 0, 1);
    registry.awaitReady();
    settings = settings();
    connection = new Connection(settings);
    try (Admin admin = Admin.create(connection.properties())) {
      TopicLayout.create(admin, settings);
      job =
          FlinkJob.submit(
              "127.0.0.1",
              flink.port(),
              settings,
              directory.resolve("checkpoints").toString(),
              Optional.empty(),
              AdaptationJob.Input.UNBOUNDED);
      byte[] last = send(3);
      Await.value(
          "three examples are read in a completed checkpoint",
          () -> {
            job.requireAlive();
            return read(admin);
          },
          read -> read >= 3);
      registry.close();
      send(last);
    }
    Await.until(
        "the writer waits for the registry",
        () -> {
          job.requireAlive();
          return writerWaits();
        });
  }

  @AfterEach
  void stop() {
    flink.close();
    registry.close();
  }

  @Test
  void theJobWaitsAndGoesOnWhereItWas() throws Exception {
    registry = registry(URI.create(connection.registryUrl()).getPort());
    registry.awaitReady();
    try (RunRecord record = new RunRecord(connection);
        JobHealth health = job.health()) {
      Await.value(
          "four examples are trained on",
          () -> {
            assertThat(health.failures()).isEmpty();
            record.poll(Duration.ofMillis(100));
            return record.examples();
          },
          trained -> trained >= 4);
      assertThat(health.failures()).isEmpty();
      assertThat(record.deadLetters()).isEmpty();
    }
  }

  @Test
  void aJobThatWaitsCanBeCancelled() throws Exception {
    URI cancel =
        URI.create("http://127.0.0.1:" + flink.port() + "/jobs/" + job.id() + "?mode=cancel");
    HttpClient.newHttpClient()
        .send(
            HttpRequest.newBuilder(cancel).method("PATCH", BodyPublishers.noBody()).build(),
            BodyHandlers.discarding());

    Await.value("the job is cancelled", job::status, JobStatus.CANCELED::equals);
    assertThat(writerWaits()).isFalse();
  }

  /** Flink's threads are in this process. */
  private static boolean writerWaits() {
    return Thread.getAllStackTraces().values().stream()
        .map(trace -> Arrays.stream(trace).map(StackTraceElement::getClassName).toList())
        .anyMatch(
            classes ->
                classes.contains(OutgoingRecordWriter.class.getName())
                    && classes.contains(RegistryPatience.class.getName()));
  }

  /** How far the job has come in a completed checkpoint, over all partitions. */
  private static long read(Admin admin) throws Exception {
    return admin
        .listConsumerGroupOffsets("millrace")
        .partitionsToOffsetAndMetadata()
        .get()
        .values()
        .stream()
        .mapToLong(OffsetAndMetadata::offset)
        .sum();
  }

  /** Sends so many examples, and returns one more that is written already. */
  private byte[] send(int count) {
    LabeledExample example =
        new LabeledExample("e", "reviews", "It works.", "positive", null, 1f, Map.of());
    try (Serializer<Object> serializer = connection.serializer()) {
      byte[] bytes = serializer.serialize(Topics.LABELED_EXAMPLES, example);
      for (int i = 0; i < count; i++) {
        send(bytes);
      }
      return bytes;
    }
  }

  private void send(byte[] value) {
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(
            connection.properties(), new ByteArraySerializer(), new ByteArraySerializer())) {
      producer.send(
          new ProducerRecord<>(Topics.LABELED_EXAMPLES, "reviews".getBytes(UTF_8), value));
    }
  }

  private RegistryProcess registry(int port) {
    return RegistryProcess.launch(
        Path.of(System.getProperty("millrace.home"), "pipeline", "target", "registry"),
        directory.resolve("registry"),
        directory.resolve("registry.log"),
        port);
  }

  private Settings settings() {
    return JobTestSettings.of(
        "batch.size=4",
        "batch.timeout=none",
        "checkpoint.interval=200ms",
        "kafka.bootstrap.servers=" + kafka.bootstrapServers(),
        "schema.registry.url=" + registry.url());
  }
}
