package io.millrace.pipeline.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.CommandLines;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.cli.MillraceCommand;
import io.millrace.pipeline.embedded.TopicLayout;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.StartingState;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.common.JobID;
import org.apache.kafka.clients.admin.Admin;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * Jobs that go on from their own state, on a session that is not highly available: one of two that
 * share a directory is ended and started again, and one is lost with its job manager. Each must
 * come to the hashes of an undisturbed run.
 */
@ExtendWith(Services.class)
@Tag("chaos")
@Timeout(420)
class LineageChaosTest {
  private static final int EXAMPLES = Integer.getInteger("chaos.examples", 3000) / 2;

  @TempDir private static Path directory;

  private static ChaosRig rig;
  private static DealtStream stream;
  private static Chains undisturbed;

  @BeforeAll
  static void trainUndisturbed() throws Exception {
    Path logs = Path.of("target", "lineage-chaos-logs").toAbsolutePath();
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

  /** Each has a Kafka of its own, so that what one published cannot be taken for the other's. */
  @Test
  void twoJobsShareADirectoryAndOneIsStartedAgain(KafkaBroker other) throws Exception {
    other.clear();
    String shared = "checkpoint.directory=" + directory.resolve("shared");
    Settings mails =
        rig.settings("mails", 1, shared, "kafka.bootstrap.servers=" + other.bootstrapServers());
    try (Admin admin = Admin.create(new Connection(mails).properties())) {
      TopicLayout.create(admin, mails);
    }
    Settings reviews = rig.settings("reviews", 1, shared);
    try (Run run = rig.begin(stream, reviews)) {
      rig.send(stream, mails);
      FlinkJob otherJob = rig.submit(mails, Optional.empty());
      Chains chains = new Chains();
      try (RunRecord record = new RunRecord(new Connection(mails), chains)) {
        run.awaitPart(0.5);
        awaitExamples(record, EXAMPLES / 10);
        // The job that is behind: its numbers are the lower ones.
        rig.flink().cancel(otherJob.id());
        run.pass(Duration.ofSeconds(2));
        otherJob = rig.submit(mails, latest("mails"));
        FlinkJob again = otherJob;
        assertThat(run.finish().chains().differences(undisturbed)).isEmpty();
        Await.until(
            "the other job has come to its end",
            Duration.ofMinutes(5),
            () -> again.finished().isDone());
        again.requireAlive();
        record.readToEnd();
        assertThat(chains.differences(undisturbed)).isEmpty();
      }
    }
  }

  private static Optional<StartingState> latest(String job) throws Exception {
    return StartingState.latest(directory.resolve("shared").toString(), job);
  }

  @Test
  void aJobIsLostWithItsJobManagerUnderSupervision() throws Exception {
    Settings settings = rig.settings("supervised", 2);
    rig.flink().awaitFreeSlots(4);
    rig.kafka().renewTopics(settings);
    rig.send(stream, settings);
    List<String> arguments = new ArrayList<>(arguments("submit", settings));
    arguments.add("--wait");
    CompletableFuture<Integer> submit = CompletableFuture.supplyAsync(() -> millrace(arguments));
    Chains chains = new Chains();
    try (RunRecord record = new RunRecord(new Connection(settings), chains)) {
      awaitExamples(record, EXAMPLES / 4);
      JobID lost = rig.flink().running().get(0);
      rig.flink().killJobManager();
      rig.flink().startJobManager();
      Await.until(
          "the job is there again, under another id",
          Duration.ofMinutes(2),
          () -> {
            record.poll(Duration.ofMillis(50));
            List<JobID> now = rig.flink().running();
            return !now.isEmpty() && !now.contains(lost);
          });
      // What is left waits in open batches.
      awaitExamples(record, EXAMPLES - 16 * DealtStream.DOMAINS);
      List<String> stop = new ArrayList<>(arguments("stop", settings));
      stop.add("--drain");
      assertThat(millrace(stop)).isZero();
      assertThat(submit.get()).isZero();
      record.readToEnd();

      assertThat(record.examples()).isEqualTo(EXAMPLES);
      assertThat(chains.differences(undisturbed)).isEmpty();
    }
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

  private static List<String> arguments(String command, Settings settings) {
    List<String> arguments =
        new ArrayList<>(List.of(command, "--flink=127.0.0.1:" + rig.flink().port()));
    Map<String, String> sets = new TreeMap<>(settings.explicit());
    sets.put("checkpoint.directory", directory.resolve("supervised").toString());
    sets.forEach((key, value) -> arguments.add("--set=" + key + "=" + value));
    return arguments;
  }

  private static int millrace(List<String> arguments) {
    return CommandLines.run(new MillraceCommand(), arguments.toArray(String[]::new));
  }
}
