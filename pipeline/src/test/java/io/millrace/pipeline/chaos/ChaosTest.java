package io.millrace.pipeline.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.StartingState;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import io.millrace.testing.Await;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.flink.api.common.JobStatus;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * One stream over twelve domains, trained on once undisturbed and once through each failure: every
 * hash of every step and version must be the same, and each must be there once. {@code mvn verify
 * -Pchaos} runs it; {@code -Dchaos.input=FILE.jsonl} takes another stream than WordNet's
 * definitions, {@code -Dchaos.examples=N} as many of those.
 */
@Tag("chaos")
@Timeout(420)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class ChaosTest {
  private static final ChaosReport REPORT = new ChaosReport();

  @TempDir private static Path directory;

  private static ChaosRig rig;
  private static DealtStream stream;
  private static Outcome undisturbed;

  @BeforeAll
  static void trainUndisturbed() throws Exception {
    rig = ChaosRig.start(directory, Path.of("target", "chaos-logs").toAbsolutePath());
    stream = stream(directory.resolve("stream.jsonl"));
    try (Run run = rig.begin("undisturbed", stream, 2)) {
      undisturbed = run.finish();
      REPORT.add(undisturbed, true, run.causes());
    }
    assertThat(undisturbed.examples()).isEqualTo(stream.examples());
    assertThat(undisturbed.deadLetters()).isZero();
    assertThat(undisturbed.restarts()).isZero();
    assertThat(undisturbed.chains().domains()).hasSize(DealtStream.DOMAINS);
  }

  private static DealtStream stream(Path file) throws Exception {
    String input = System.getProperty("chaos.input");
    return input == null
        ? DealtStream.ofWordNet(Integer.getInteger("chaos.examples", 3000), file)
        : DealtStream.of(Path.of(input), rig.settings("stream", 1), file);
  }

  @AfterAll
  static void report() throws Exception {
    if (rig != null) {
      rig.close();
    }
    System.out.printf("%n%s%n", REPORT.write(Path.of("target", "chaos.json")));
  }

  @Test
  @Order(1)
  void aTaskManagerIsKilled() throws Exception {
    try (Run run = rig.begin("task-manager", stream, 2)) {
      run.awaitPart(0.25);
      run.fails();
      rig.flink().killTaskManager();
      run.until("training goes on", run::wentOn);
      rig.flink().startTaskManager();
      assertThat(same(run).restarts()).isPositive();
    }
  }

  @Test
  @Order(2)
  void theBrokerThatCoordinatesTheTransactionsIsKilled() throws Exception {
    try (Run run = rig.begin("broker", stream, 2)) {
      run.awaitPart(0.25);
      int coordinator =
          Await.value(
                  "a transaction is open",
                  () -> rig.kafka().coordinatorOf("broker"),
                  Optional::isPresent)
              .orElseThrow();
      run.fails();
      rig.kafka().kill(coordinator);
      run.pass(Duration.ofSeconds(8));
      rig.kafka().start(coordinator);
      run.until("training goes on", run::wentOn);
      same(run);
    }
  }

  @Test
  @Order(3)
  void theJobManagerIsKilled() throws Exception {
    try (Run run = rig.begin("job-manager", stream, 2)) {
      run.awaitPart(0.25);
      run.fails();
      rig.flink().killJobManager();
      rig.flink().startJobManager();
      run.until("training goes on", run::wentOn);
      same(run);
    }
  }

  @Test
  @Order(4)
  void theJobGoesOnAtOtherParallelisms() throws Exception {
    try (Run run = rig.begin("parallelism-1-4-2", stream, 1)) {
      run.awaitPart(0.25);
      stopAndGoOn(run, 4);
      run.awaitPart(0.5);
      stopAndGoOn(run, 2);
      same(run);
    }
  }

  private static void stopAndGoOn(Run run, int parallelism) throws Exception {
    String savepoint = stop(run);
    run.fails();
    Settings settings = rig.settings("parallelism-1-4-2", parallelism);
    FlinkJob next = rig.submit(settings, Optional.of(StartingState.savepoint(savepoint)));
    run.goOnAs(next);
    // A stop that took several attempts may have come after the last step.
    run.until("training goes on or is over", () -> run.wentOn() || run.isOver());
  }

  /** A source that comes to its end just then makes Flink give the stop up; the job goes on. */
  private static String stop(Run run) throws Exception {
    for (int attempt = 1; ; attempt++) {
      try {
        return run.job().stop(rig.savepoints());
      } catch (IllegalStateException e) {
        if (attempt == 3) {
          throw e;
        }
        run.pass(Duration.ofSeconds(3));
      }
    }
  }

  @Test
  @Order(5)
  void checkpointsFailSeveralTimesInARow() throws Exception {
    try (Run run = rig.begin("checkpoints-fail", stream, 2)) {
      run.awaitPart(0.25);
      rig.breakFiles(FaultyFileSystem.Fault.REFUSED);
      run.fails();
      run.until("five checkpoints fail", () -> run.failedCheckpoints() >= 5);
      assertThat(run.wentOn()).isFalse();
      rig.mendFiles();
      assertThat(same(run).restarts()).isZero();
    }
  }

  @Test
  @Order(6)
  void theRegistryIsAwayForAMinuteAndTasksStartAnewMeanwhile() throws Exception {
    try (Run run = rig.begin("registry", stream, 2)) {
      run.awaitPart(0.25);
      rig.killRegistry();
      rig.flink().killTaskManager();
      run.fails();
      rig.flink().startTaskManager();
      run.pass(Duration.ofSeconds(60));
      assertThat(run.wentOn()).isFalse();
      rig.restartRegistry();
      run.until("training goes on", run::wentOn);
      assertThat(same(run).restarts()).isPositive();
    }
  }

  @Test
  @Order(7)
  void theDiskOfTheCheckpointsIsFullForAWhile() throws Exception {
    try (Run run = rig.begin("disk-full", stream, 2)) {
      run.awaitPart(0.25);
      int before = rig.refusedWrites().size();
      rig.breakFiles(FaultyFileSystem.Fault.FULL);
      run.fails();
      run.pass(Duration.ofSeconds(10));
      run.until("three checkpoints fail", () -> run.failedCheckpoints() >= 3);
      List<String> refused = rig.refusedWrites();
      assertThat(refused.subList(before, refused.size()))
          .isNotEmpty()
          .allMatch(line -> line.startsWith("No space left on device"));
      assertThat(run.wentOn()).isFalse();
      rig.mendFiles();
      same(run);
    }
  }

  /**
   * The job cannot go on by itself: what was in the topic is not in its state. So it is cancelled,
   * the topic is filled with the versions of all committed steps, and the job is sent again.
   */
  @Test
  @Order(8)
  void theTopicOfVersionsIsDeletedAndRestored() throws Exception {
    Settings settings = rig.settings("adapters-deleted", 2);
    Connection connection = new Connection(settings);
    try (Run run = rig.begin(stream, settings)) {
      run.awaitPart(0.25);
      // Nothing is written between the copy and the deletion.
      rig.flink().freeze();
      TopicCopy copy = TopicCopy.of(Topics.ADAPTERS, connection, "read_uncommitted");
      run.stopReading();
      rig.kafka().delete(List.of(Topics.ADAPTERS));
      rig.flink().thaw();
      run.fails();
      run.until(
          "the job restarts, and a start says why",
          () -> {
            // A sink gives up aborting its transaction after a minute, and Flink then ends the
            // process. Until there are others, the job restarts for want of them.
            rig.flink().replaceEndedTaskManagers();
            return run.restarts() >= 2
                && run.causes().stream()
                    .anyMatch(
                        cause ->
                            cause.contains("topics [adapters, ")
                                && cause.contains("UnknownTopicOrPartition"));
          });

      rig.flink().cancel(run.job().id());
      rig.flink().replaceEndedTaskManagers();
      rig.kafka().createTopics(settings);
      Map<String, Long> steps = committedSteps(connection);
      Deserializer<AdapterVersion> reader = connection.deserializer(AdapterVersion.class);
      copy.writeBack(
          connection,
          record -> {
            AdapterVersion version = reader.deserialize(record.topic(), record.value());
            // Published every two steps.
            return version.getVersion() <= steps.getOrDefault(version.getDomain(), 0L) / 2;
          });
      run.goOnAs(rig.submit(settings, rig.latestCheckpoint("adapters-deleted")));
      run.read();
      run.until("training goes on", run::wentOn);
      same(run);
    }
  }

  private static Map<String, Long> committedSteps(Connection connection) {
    Deserializer<TrainingStep> reader = connection.deserializer(TrainingStep.class);
    Map<String, Long> steps = new TreeMap<>();
    for (ConsumerRecord<byte[], byte[]> record :
        TopicCopy.of(Topics.TRAINING_STEPS, connection, "read_committed").records()) {
      TrainingStep step = reader.deserialize(record.topic(), record.value());
      steps.merge(step.getDomain(), step.getStep(), Math::max);
    }
    return steps;
  }

  /** Sent again, the same file gives the same records at the same offsets. */
  @Test
  @Order(9)
  void theTopicOfExamplesIsDeletedAndRestored() throws Exception {
    Settings settings =
        rig.settings(
            "examples-deleted",
            2,
            // Or all is read before anything is deleted.
            "kafka.batch.size=2048",
            "kafka.max.partition.fetch.bytes=2048",
            "kafka.max.poll.records=16");
    try (Run run = rig.begin(stream, settings)) {
      run.awaitPart(0.25);
      rig.kafka().delete(List.of(Topics.LABELED_EXAMPLES));
      run.pass(Duration.ofSeconds(10));
      assertThat(run.job().status()).isEqualTo(JobStatus.RUNNING);

      rig.kafka().createTopics(settings);
      assertThat(run.untilFailed())
          .contains("of topic labeled-examples: the job is to go on at offset");

      run.fails();
      rig.send(stream, settings);
      run.goOnAs(rig.submit(settings, rig.latestCheckpoint("examples-deleted")));
      run.until("training goes on", run::wentOn);
      same(run);
    }
  }

  /**
   * Each label takes 1.5 KB of every version, and one domain has a new label in each example. The
   * others' hashes are as without it.
   */
  @Test
  @Order(10)
  void aDomainCannotPublishAndTheOthersGoOn() throws Exception {
    DealtStream crowded =
        stream.withCrowdedDomain("crowded", 320, directory.resolve("crowded.jsonl"));
    Settings settings = rig.settings("cannot-publish", 2);
    try (Run run = rig.begin(crowded, settings, 300_000)) {
      run.until("it is set aside", () -> run.deadLetters().containsKey("DomainSetAside"));
      run.fails();
      rig.flink().killTaskManager();
      run.until("training goes on", run::wentOn);
      rig.flink().startTaskManager();

      Outcome outcome = run.finish();
      List<String> differences =
          outcome.chains().differences(undisturbed.chains()).stream()
              .filter(line -> !line.startsWith("crowded "))
              .toList();
      REPORT.add(outcome, differences.isEmpty(), run.causes());
      assertThat(differences).isEmpty();
      assertThat(outcome.chains().domains().get("crowded").versions()).isNotEmpty();
      assertThat(run.deadLetters()).containsOnlyKeys("DomainSetAside");
      assertThat(outcome.examples() + outcome.deadLetters()).isEqualTo(crowded.examples());
    }
  }

  /** Lets the run end, and holds it against the undisturbed one. */
  private static Outcome same(Run run) throws Exception {
    Outcome outcome = run.finish();
    List<String> differences = outcome.chains().differences(undisturbed.chains());
    REPORT.add(outcome, differences.isEmpty(), run.causes());
    assertThat(differences).isEmpty();
    assertThat(outcome.deadLetters()).isZero();
    assertThat(outcome.examples()).isEqualTo(undisturbed.examples());
    return outcome;
  }
}
