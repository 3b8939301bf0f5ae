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
import io.millrace.pipeline.job.AdaptationJob.Input;
import io.millrace.pipeline.records.CommittedTopic;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.StartingState;
import io.millrace.schemas.Topics;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
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
@Timeout(240)
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
      lines.add(line("domain-" + i));
    }
    send(lines);
  }

  private void send(String domain, int examples) throws IOException {
    send(Collections.nCopies(examples, line(domain)));
  }

  private static String line(String domain) {
    return "{\"domain\":\"%s\",\"text\":\"%s\",\"label\":\"good\"}".formatted(domain, TEXT);
  }

  private void send(List<String> lines) throws IOException {
    Path file = Files.write(directory.resolve("stream.jsonl"), lines);
    new ExampleProducer(settings).send(ExampleFile.open(file), Resume.NEVER_TWICE, sent -> {});
  }

  @Test
  void whatIsLeftIsCommittedAsItIsTrained() throws Exception {
    try (EmbeddedFlink flink = EmbeddedFlink.start(directory.resolve("flink"), 0, 2)) {
      submit(flink, Input.BOUNDED, Optional.empty()).finished().get(100, TimeUnit.SECONDS);
    }

    Set<Long> commits = new HashSet<>();
    assertThat(trained(commits)).hasSize(DOMAINS);
    assertThat(commits).hasSizeGreaterThan(2);
  }

  /** A drained job has committed all when it ends. */
  @Test
  void aDrainedJobLeavesNothing() throws Exception {
    send("last", 4);
    try (EmbeddedFlink flink = EmbeddedFlink.start(directory.resolve("flink"), 0, 2)) {
      FlinkJob job = submit(flink, Input.UNBOUNDED, Optional.empty());
      Await.until("all is read", () -> trained(new HashSet<>()).contains("last"));
      job.drain(directory.resolve("savepoints"));
    }

    assertThat(trained(new HashSet<>())).hasSize(DOMAINS + 1);
  }

  @Test
  void aJobThatIsStoppedMeanwhileGoesOnFromItsSavepoint() throws Exception {
    try (EmbeddedFlink flink = EmbeddedFlink.start(directory.resolve("flink"), 0, 2)) {
      FlinkJob job = submit(flink, Input.BOUNDED, Optional.empty());
      Await.until("some is committed", () -> !trained(new HashSet<>()).isEmpty());
      String savepoint = job.stop(directory.resolve("savepoints"));
      assertThat(trained(new HashSet<>())).hasSizeLessThan(DOMAINS);
      submit(flink, Input.BOUNDED, Optional.of(StartingState.savepoint(savepoint)))
          .finished()
          .get(100, TimeUnit.SECONDS);
    }

    assertThat(trained(new HashSet<>())).hasSize(DOMAINS);
  }

  private FlinkJob submit(EmbeddedFlink flink, Input input, Optional<StartingState> state) {
    return FlinkJob.submit(
        "127.0.0.1",
        flink.port(),
        settings,
        directory.resolve("checkpoints").toString(),
        state,
        input);
  }

  /**
   * The domains of which a step is committed, one each.
   *
   * @param commits receives the offsets before those at which Kafka has marked a commit
   */
  private Set<String> trained(Set<Long> commits) {
    Set<String> domains = new HashSet<>();
    Map<Integer, Long> last = new HashMap<>();
    try (CommittedTopic steps =
        new CommittedTopic(new Connection(settings), Topics.TRAINING_STEPS)) {
      steps.forEach(
          step -> {
            assertThat(domains.add(new String(step.key(), UTF_8))).isTrue();
            Long before = last.put(step.partition(), step.offset());
            if (before != null && step.offset() > before + 1) {
              commits.add(before);
            }
          });
    }
    return domains;
  }
}
