package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import io.millrace.pipeline.submission.ApplicationJob;
import io.millrace.pipeline.submission.JobHealth;
import io.millrace.schemas.TrainingStep;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.client.cli.CliFrontend;
import org.apache.flink.client.cli.GenericCLI;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptionsInternal;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The job as a program that Flink's own command line starts. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(180)
class ApplicationJobTest {
  @TempDir private Path directory;

  private SubmitHarness harness;

  @BeforeEach
  void start(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    harness = new SubmitHarness(directory, kafka, registry);
  }

  @AfterEach
  void stop() {
    harness.close();
  }

  /** And back again, where submit cannot know which of two states is the right one. */
  @Test
  void flinkRunTakesTheSameSettingsAndTheStateThatItNames() throws Exception {
    harness.send(16);
    harness.submit();
    harness.awaitSteps(2);
    String savepoint = harness.stop().out().get(0).replaceAll(".* is in ", "");

    assertThat(flinkRun("-s", savepoint)).isZero();
    harness.send(8);

    List<TrainingStep> steps = harness.awaitSteps(3);
    assertThat(steps).map(TrainingStep::getStep).containsExactly(1L, 2L, 3L);
    assertThat(harness.submit().line()).contains("job millrace is running already, as ");
    assertThat(harness.stop("--no-savepoint").exitCode()).isZero();

    Said unclear = harness.submit();
    assertThat(unclear.exitCode()).isEqualTo(2);
    assertThat(unclear.line())
        .contains("is a checkpoint of job millrace that is newer than the job's last start")
        .contains("name the state to go on from with --from");
    String named = unclear.line().replaceAll("millrace: (\\S+) is a checkpoint.*", "$1");
    assertThat(harness.submit("--from=" + named).out()).contains("It goes on from " + named);
    harness.send(8);
    assertThat(harness.awaitSteps(4)).map(TrainingStep::getStep).containsExactly(1L, 2L, 3L, 4L);
  }

  /** As where a supervisor starts a cluster again that has forgotten its state. */
  @Test
  void withoutStateItTrainsNothingAgainUnlessItIsToldTo() throws Exception {
    harness.send(16);
    assertThat(flinkRun()).isZero();
    harness.awaitSteps(2);
    assertThat(harness.stop("--no-savepoint").exitCode()).isZero();

    JobID again = new JobID();
    assertThat(flinkRun("-D" + PipelineOptionsInternal.PIPELINE_FIXED_JOB_ID.key() + "=" + again))
        .isZero();
    try (JobHealth health = JobHealth.of("127.0.0.1", harness.flink().port(), again)) {
      Await.value(
          "the job has failed for good",
          Duration.ofMinutes(1),
          health::status,
          JobStatus.FAILED::equals);
      assertThat(health.failures())
          .singleElement()
          .extracting(JobHealth.Failure::reason)
          .asString()
          .contains("this start has no state, but a job has trained on this topic before")
          .contains("execution.state-recovery.path")
          .contains("--from none");
    }
    List<String> anew = new ArrayList<>(settings());
    anew.addAll(List.of("--from", "none"));
    assertThat(run(List.of(), anew)).isZero();
    assertThat(harness.awaitSteps(4))
        .map(TrainingStep::getStep)
        .containsExactlyInAnyOrder(1L, 2L, 1L, 2L);
  }

  @Test
  void stateIsNamedToFlinkAlone() {
    assertThatThrownBy(() -> ApplicationJob.main(new String[] {"--from", "/checkpoints/chk-7"}))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "--from: '/checkpoints/chk-7' is not none; Flink's -s or execution.state-recovery.path"
                + " names a state");
  }

  @Test
  void checkpointsGoWhereFlinksConfigurationSaysUnlessASettingDoes() throws Exception {
    Path elsewhere = directory.resolve("elsewhere");
    List<String> arguments = new ArrayList<>(settings());
    arguments.removeIf(argument -> argument.startsWith("--set=checkpoint.directory="));

    assertThat(run(List.of("-Dexecution.checkpointing.dir=" + elsewhere.toUri()), arguments))
        .isZero();

    Await.until(
        "a checkpoint is there",
        Duration.ofMinutes(1),
        () -> {
          try (var tree = Files.walk(elsewhere)) {
            return tree.anyMatch(path -> path.getFileName().toString().startsWith("chk-"));
          } catch (java.io.IOException | java.io.UncheckedIOException e) {
            return false;
          }
        });
    assertThat(harness.checkpoints()).doesNotExist();
  }

  private int flinkRun(String... options) throws Exception {
    return run(List.of(options), settings());
  }

  /** What submit is given, without what concerns submit alone. */
  private List<String> settings() {
    return Arrays.stream(harness.arguments("submit"))
        .filter(argument -> argument.startsWith("--set="))
        .toList();
  }

  private int run(List<String> options, List<String> arguments) throws Exception {
    Path jar = directory.resolve("empty.jar");
    Manifest manifest = new Manifest();
    manifest.getMainAttributes().putValue("Manifest-Version", "1.0");
    new JarOutputStream(Files.newOutputStream(jar), manifest).close();
    List<String> all =
        new ArrayList<>(
            List.of(
                "run",
                "--target",
                "remote",
                "-Drest.address=127.0.0.1",
                "-Drest.port=" + harness.flink().port(),
                "--detached"));
    all.addAll(options);
    all.addAll(List.of("--class", ApplicationJob.class.getName(), jar.toString()));
    all.addAll(arguments);
    Configuration configuration = new Configuration();
    return new CliFrontend(
            configuration, List.of(new GenericCLI(configuration, directory.toString())))
        .parseAndRun(all.toArray(String[]::new));
  }
}
