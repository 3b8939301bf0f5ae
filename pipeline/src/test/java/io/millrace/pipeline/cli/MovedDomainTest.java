package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.DomainPartition;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** A domain whose key leads to another partition, because partitions were added. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(180)
class MovedDomainTest {
  private static final int PARTITIONS =
      IntStream.range(2, 10)
          .filter(partitions -> DomainPartition.of("reviews", partitions) != 0)
          .findFirst()
          .orElseThrow();

  private static final int MOVED_TO = DomainPartition.of("reviews", PARTITIONS);

  @TempDir private Path directory;

  private SubmitHarness harness;

  @BeforeEach
  void start(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    harness = new SubmitHarness(directory, kafka, registry, 1);
  }

  @AfterEach
  void stop() {
    harness.close();
  }

  @Test
  void trainingGoesOnInTheNewPartitionAndReplaysExactly() throws Exception {
    harness.send(12);
    submit();
    harness.awaitSteps(1);

    try (Admin admin = Admin.create(harness.connection().properties())) {
      admin
          .createPartitions(Map.of(Topics.LABELED_EXAMPLES, NewPartitions.increaseTo(PARTITIONS)))
          .all()
          .get();
    }
    harness.send(20);

    List<TrainingStep> steps = harness.awaitSteps(4);
    assertThat(steps.get(0).getBatch()).containsExactly(new OffsetRun(0, 0L, 8));
    // One batch holds the last examples before the move and the first after it, in order.
    assertThat(steps.get(1).getBatch())
        .containsExactly(new OffsetRun(0, 8L, 4), new OffsetRun(MOVED_TO, 0L, 4));
    assertThat(steps.get(2).getBatch()).containsExactly(new OffsetRun(MOVED_TO, 4L, 8));
    assertThat(steps.get(3).getBatch()).containsExactly(new OffsetRun(MOVED_TO, 12L, 8));

    // The new partition is in the state, as the old one is.
    assertThat(harness.stop().exitCode()).isZero();
    submit();
    harness.send(8);
    assertThat(harness.awaitSteps(5).get(4).getBatch())
        .containsExactly(new OffsetRun(MOVED_TO, 20L, 8));

    Said replayed =
        Said.run(
            "replay",
            "--domain=reviews",
            "--version=5",
            "--set=kafka.bootstrap.servers=" + harness.connection().bootstrapServers(),
            "--set=schema.registry.url=" + harness.connection().registryUrl(),
            "--set=model.store=" + System.getProperty("millrace.test.models"));
    assertThat(replayed.exitCode()).as("%s", replayed).isZero();
  }

  private void submit() {
    Said answer =
        harness.submit("--set=publish.everySteps=1", "--set=examples.partitionDiscovery=500ms");
    assertThat(answer.err()).isEmpty();
  }
}
