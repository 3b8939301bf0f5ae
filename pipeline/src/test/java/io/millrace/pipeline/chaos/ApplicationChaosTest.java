package io.millrace.pipeline.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.CommandLines;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.cli.MillraceCommand;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.pipeline.submission.StartingState;
import io.millrace.schemas.Topics;
import io.millrace.testing.Await;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.JobID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A standalone application cluster, whose job manager runs the job as its program and is lost. A
 * new one must come to the hashes of an undisturbed run on a session.
 */
@Tag("chaos")
@Timeout(420)
class ApplicationChaosTest {
  private static final int EXAMPLES = Integer.getInteger("chaos.examples", 3000) / 2;

  @TempDir private static Path directory;

  private static ChaosRig rig;
  private static DealtStream stream;
  private static Chains undisturbed;

  @BeforeAll
  static void trainUndisturbed() throws Exception {
    Path logs = Path.of("target", "application-chaos-logs").toAbsolutePath();
    rig = ChaosRig.start(directory, logs, false);
    stream = DealtStream.ofWordNet(EXAMPLES, directory.resolve("stream.jsonl"));
    try (Run run = rig.begin("undisturbed", stream, 2)) {
      undisturbed = run.finish().chains();
    }
    assertThat(undisturbed.domains()).hasSize(DealtStream.DOMAINS);
  }

  @AfterAll
  static void close() {
    if (rig != null) {
      rig.close();
    }
  }

  /** The second time it cannot go on at first, and must not lose its state over that. */
  @Test
  void aJobGoesOnWhenItsJobManagerIsLostTwice() throws Exception {
    Settings settings = settings("highly-available");
    rig.beginApplication(stream, settings, true);
    Chains chains = new Chains();
    try (RunRecord record = new RunRecord(new Connection(settings), chains)) {
      awaitExamples(record, EXAMPLES / 4);
      List<JobID> job = rig.flink().running();
      assertThat(job).hasSize(1);
      rig.flink().killJobManager();
      assertThat(record.examples()).isLessThan(allButOpenBatches());
      rig.flink().startJobManager();
      awaitRunning(job);
      rig.flink().killJobManager();
      rig.kafka().delete(List.of(Topics.DEAD_LETTERS));
      rig.flink().startJobManager();
      assertThat(rig.flink().awaitJobManagerEnd()).isEqualTo(1);
      rig.kafka().createTopics(settings);
      rig.flink().startJobManager();
      awaitExamples(record, allButOpenBatches());
      assertThat(rig.flink().running()).isEqualTo(job);

      drain(settings);
      // As a supervisor does that starts whatever has ended; ZooKeeper knows nothing of it by now.
      rig.flink().startJobManager();
      assertThat(rig.flink().awaitJobManagerEnd()).isNotZero();
      record.readToEnd();
      assertThat(record.examples()).isEqualTo(EXAMPLES);
      assertThat(chains.differences(undisturbed)).isEmpty();
    }
  }

  /** Flink starts it without state then, and it would train everything again. */
  @Test
  void aJobWithoutHighAvailabilityWaitsForItsStateToBeNamed() throws Exception {
    Settings settings = settings("not-available");
    rig.beginApplication(stream, settings, false);
    Chains chains = new Chains();
    try (RunRecord record = new RunRecord(new Connection(settings), chains)) {
      awaitExamples(record, EXAMPLES / 4);
      rig.flink().killJobManager();
      rig.flink().startJobManager();
      assertThat(rig.flink().awaitJobManagerEnd()).isNotZero();
      record.readToEnd();
      assertThat(record.examples()).isLessThan(allButOpenBatches());

      String state = StartingState.latest(checkpoints(settings), "not-available").get().path();
      rig.flink().startJobManager("execution.state-recovery.path=" + state);
      awaitExamples(record, allButOpenBatches());

      drain(settings);
      record.readToEnd();
      assertThat(record.examples()).isEqualTo(EXAMPLES);
      assertThat(chains.differences(undisturbed)).isEmpty();
    }
  }

  private static Settings settings(String name) {
    return rig.settings(name, 2, "checkpoint.directory=" + directory.resolve(name));
  }

  private static String checkpoints(Settings settings) {
    return settings.explicit().get("checkpoint.directory");
  }

  private static void awaitRunning(List<JobID> job) throws Exception {
    Await.value(
        "the job is back, under its id",
        Duration.ofMinutes(2),
        () -> rig.flink().running(),
        running -> running.equals(job));
  }

  /** The cluster ends with its job. */
  private static void drain(Settings settings) throws Exception {
    List<String> stop = new ArrayList<>(List.of("stop", "--drain"));
    stop.add("--flink=127.0.0.1:" + rig.flink().port());
    settings.explicit().forEach((key, value) -> stop.add("--set=" + key + "=" + value));
    assertThat(CommandLines.run(new MillraceCommand(), stop.toArray(String[]::new))).isZero();
    assertThat(rig.flink().awaitJobManagerEnd()).isZero();
  }

  /** What is left waits in open batches until the job is drained. */
  private static long allButOpenBatches() {
    return EXAMPLES - 16 * DealtStream.DOMAINS;
  }

  private static void awaitExamples(RunRecord record, long examples) throws Exception {
    Await.value(
        examples + " examples are trained on",
        Duration.ofMinutes(5),
        () -> {
          record.poll(Duration.ofMillis(50));
          return record.examples();
        },
        trained -> trained >= examples);
  }
}
