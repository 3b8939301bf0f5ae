package io.millrace.pipeline.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.operators.output.OutgoingRecords;
import io.millrace.pipeline.TestStack;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.EvidenceProgress;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.Topics;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.stream.LongStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** What becomes of a job that cannot say how it is doing. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(120)
class ProgressSinkTest {
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  private final Settings set = JobTestSettings.of("topics.partitions=1");

  @Test
  void aJobWritesAllOfIt(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    Settings settings = TestStack.renew(kafka, registry, set).connect(set);

    run(new JobSinks(settings, new Connection(settings)).progress());

    assertThat(written(kafka)).isEqualTo(3);
  }

  @Test
  void aJobGoesOnWithoutTheTopic(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    Settings settings = TestStack.renew(kafka, registry, set).connect(set);
    kafka.delete(Topics.TRAINING_PROGRESS);

    ProgressSink sink = new ProgressSink(new Connection(settings), PATIENCE, ProgressSink.PAUSE);
    assertThatCode(() -> run(sink)).doesNotThrowAnyException();
  }

  @Test
  void itIsWrittenAgainOnceTheTopicIsBack(KafkaBroker kafka, ApicurioRegistry registry)
      throws Exception {
    Settings settings = TestStack.renew(kafka, registry, set).connect(set);
    ProgressSink sink = new ProgressSink(new Connection(settings), PATIENCE, Duration.ZERO);
    try (ProgressSink.Writer writer = sink.writer()) {
      writer.write(record(1), null);
      writer.flush(false);
      kafka.delete(Topics.TRAINING_PROGRESS);
      writer.write(record(2), null);
      writer.flush(false);
      kafka.create(Topics.TRAINING_PROGRESS, 1, Map.of());
      Await.value(
          "progress in the new topic",
          () -> {
            writer.write(record(3), null);
            writer.flush(false);
            return written(kafka);
          },
          count -> count > 0);
    }
  }

  /** As the job is at a stop: its sink has all, and ends. */
  private static void run(ProgressSink sink) throws Exception {
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(1);
    environment
        .fromData(LongStream.range(0, 3).mapToObj(ProgressSinkTest::record).toList())
        .sinkTo(sink);
    environment.execute();
  }

  private static OutgoingRecord record(long examples) {
    return OutgoingRecords.progress(
        new DomainProgress(
            "films",
            Instant.now(),
            null,
            new EvidenceProgress(false, 2L, 1L, examples, 0L, 0L, 100L)));
  }

  private static long written(KafkaBroker kafka) throws Exception {
    TopicPartition partition = new TopicPartition(Topics.TRAINING_PROGRESS, 0);
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka.bootstrapServers()))) {
      return admin
          .listOffsets(Map.of(partition, OffsetSpec.latest()))
          .partitionResult(partition)
          .get()
          .offset();
    }
  }
}
