package io.millrace.pipeline.job;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.input.ExampleFile;
import io.millrace.pipeline.input.ExampleProducer;
import io.millrace.pipeline.input.ExampleProducer.Resume;
import io.millrace.pipeline.records.CommittedTopic;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.schemas.Topics;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * A job whose input ends while each of its domains has an open batch, so that all its training is
 * left to do. In one transaction it could outlast what Kafka allows one.
 */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(120)
class EndOfInputTest {
  private static final int DOMAINS = 300;

  /** So long that a few of them make a group: checkpoints begin between groups. */
  private static final String TEXT =
      "It came on the day that they had named, does all that it should, and costs no more.";

  @TempDir private Path directory;

  private Settings settings;

  @BeforeEach
  void send(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    Settings set =
        JobTestSettings.of(
            "batch.size=4",
            "batch.timeout=none",
            "checkpoint.interval=100ms",
            "job.parallelism=2",
            "topics.partitions=1",
            "training.groupWait=none");
    settings = TestStack.renew(kafka, registry, set).connect(set);
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < DOMAINS; i++) {
      lines.add("{\"domain\":\"domain-%d\",\"text\":\"%s\",\"label\":\"good\"}".formatted(i, TEXT));
    }
    Path file = Files.write(directory.resolve("stream.jsonl"), lines);
    new ExampleProducer(settings).send(ExampleFile.open(file), Resume.NEVER_TWICE, sent -> {});
  }

  @Test
  void whatIsLeftIsCommittedAsItIsTrained() throws Exception {
    try (EmbeddedFlink flink = EmbeddedFlink.start(directory.resolve("flink"), 0, 2)) {
      FlinkJob.submit(
              "127.0.0.1",
              flink.port(),
              settings,
              directory.resolve("checkpoints").toString(),
              Optional.empty(),
              AdaptationJob.Input.BOUNDED)
          .finished()
          .get(100, TimeUnit.SECONDS);
    }

    Set<String> domains = new HashSet<>();
    Map<Integer, Long> last = new HashMap<>();
    Set<Long> commits = new HashSet<>();
    try (CommittedTopic steps =
        new CommittedTopic(new Connection(settings), Topics.TRAINING_STEPS)) {
      steps.forEach(
          step -> {
            domains.add(new String(step.key(), UTF_8));
            Long before = last.put(step.partition(), step.offset());
            if (before != null && step.offset() > before + 1) {
              // Where Kafka has marked a commit.
              commits.add(before);
            }
          });
    }
    assertThat(domains).hasSize(DOMAINS);
    assertThat(commits).hasSizeGreaterThan(2);
  }
}
