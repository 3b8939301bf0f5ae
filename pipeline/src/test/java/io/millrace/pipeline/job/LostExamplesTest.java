package io.millrace.pipeline.job;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.embedded.TopicLayout;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.StartingState;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** A job that comes back to a topic which is no longer what it was. Batches hold four examples. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(180)
class LostExamplesTest {
  private static final TopicPartition PARTITION = new TopicPartition(Topics.LABELED_EXAMPLES, 0);

  @TempDir private Path directory;

  private KafkaBroker kafka;
  private Settings settings;
  private Admin admin;

  @BeforeEach
  void trainOnEightExamplesAndStop(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    this.kafka = kafka;
    Settings set = settings();
    settings = TestStack.renew(kafka, registry, set).connect(set);
    admin = Admin.create(new Connection(settings).properties());
    send(8);
    goOn(settings, 2);
  }

  @AfterEach
  void stop() {
    admin.close();
  }

  @Test
  void aJobThatKafkaDidNotWaitForFailsUnlessItMaySkip() throws Exception {
    send(8);
    admin.deleteRecords(Map.of(PARTITION, RecordsToDelete.beforeOffset(12))).all().get();

    assertThatThrownBy(() -> goOn(settings, 3))
        .hasMessage(
            "the job failed: partition 0 of topic labeled-examples: the job is to go on at offset 8,"
                + " but Kafka has deleted what lay before offset 12; restore the topic, or give"
                + " these examples up with examples.lost=skip: training then goes on with the first"
                + " example that the partition holds");

    goOn(settings.with(JobSettings.LOST_EXAMPLES, "skip"), 3);
    assertThat(steps().get(2).getBatch()).containsExactly(new OffsetRun(0, 12L, 4));
    assertThat(steps().get(2).getStep()).isEqualTo(3);
  }

  @Test
  void aJobOnAShorterTopicThanItsOwnFailsUnlessItMayBeginAgain() throws Exception {
    admin.deleteTopics(List.of(Topics.LABELED_EXAMPLES)).all().get();
    Await.value(
        "the topic is deleted",
        () -> admin.listTopics().names().get(),
        names -> !names.contains(Topics.LABELED_EXAMPLES));
    TopicLayout.create(admin, settings);
    send(5);

    assertThatThrownBy(() -> goOn(settings, 3))
        .hasMessageStartingWith(
            "the job failed: partition 0 of topic labeled-examples: the job is to go on at offset 8,"
                + " but the partition ends at offset 5: it has lost its end, or is not the one that"
                + " was read; restore the topic, or");

    goOn(settings.with(JobSettings.LOST_EXAMPLES, "skip"), 3);
    assertThat(steps().get(2).getBatch()).containsExactly(new OffsetRun(0, 0L, 4));
  }

  /** Brokers check what producers send; a disk may spoil it later. */
  @Test
  void aJobOnADamagedBatchNamesItsPlaceAndGoesOnWhereItIsGivenUp() throws Exception {
    send(4);
    Path segment = kafka.segment(Topics.LABELED_EXAMPLES, 0);
    try (FileChannel file = FileChannel.open(segment, READ, WRITE)) {
      ByteBuffer last = ByteBuffer.allocate(1);
      file.read(last, file.size() - 1);
      file.write(ByteBuffer.wrap(new byte[] {(byte) ~last.get(0)}), file.size() - 1);
    }
    send(4);

    assertThatThrownBy(() -> goOn(settings, 4))
        .hasMessageMatching(
            "the job failed: partition 0 of topic labeled-examples holds damaged records at offset 8"
                + " \\(.*\\); restore the partition from another replica, or delete the"
                + " records up to the next sound one \\(kafka-delete-records\\) and give them up with"
                + " examples.lost=skip");

    admin.deleteRecords(Map.of(PARTITION, RecordsToDelete.beforeOffset(12))).all().get();
    goOn(settings.with(JobSettings.LOST_EXAMPLES, "skip"), 3);
    assertThat(steps().get(2).getBatch()).containsExactly(new OffsetRun(0, 12L, 4));
  }

  /** The job from its newest checkpoint, if there is one, until so many steps are committed. */
  private void goOn(Settings settings, int steps) throws Exception {
    Path checkpoints = directory.resolve("checkpoints");
    try (EmbeddedFlink flink = EmbeddedFlink.start(directory.resolve("flink"), 0, 1);
        RunRecord record = new RunRecord(new Connection(settings))) {
      FlinkJob job =
          FlinkJob.submit(
              "127.0.0.1",
              flink.port(),
              settings,
              checkpoints.toString(),
              StartingState.latest(checkpoints.toString(), settings.get(JobSettings.GROUP)),
              AdaptationJob.Input.UNBOUNDED);
      Await.value(
          "%d examples are trained on".formatted(4 * steps),
          () -> {
            job.requireAlive();
            record.poll(Duration.ofMillis(100));
            return record.examples();
          },
          trained -> trained >= 4L * steps);
    }
  }

  private List<TrainingStep> steps() {
    List<TrainingStep> steps = new ArrayList<>();
    RunRecord.Listener listener =
        new RunRecord.Listener() {
          @Override
          public void took(TrainingStep step) {
            steps.add(step);
          }
        };
    try (RunRecord record = new RunRecord(new Connection(settings), listener)) {
      record.readToEnd();
    }
    return steps;
  }

  private void send(int count) {
    Connection connection = new Connection(settings);
    Properties properties = connection.properties();
    // In one batch; closing sends it at once.
    properties.put("linger.ms", "10000");
    try (Serializer<Object> serializer = connection.serializer();
        KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
      for (int i = 0; i < count; i++) {
        LabeledExample example =
            new LabeledExample("e", "reviews", "It works.", "positive", null, 1f, Map.of());
        producer.send(
            new ProducerRecord<>(
                Topics.LABELED_EXAMPLES,
                "reviews".getBytes(UTF_8),
                serializer.serialize(Topics.LABELED_EXAMPLES, example)));
      }
    }
  }

  private static Settings settings() {
    return JobTestSettings.of(
        "batch.size=4", "batch.timeout=none", "checkpoint.interval=200ms", "topics.partitions=1");
  }
}
