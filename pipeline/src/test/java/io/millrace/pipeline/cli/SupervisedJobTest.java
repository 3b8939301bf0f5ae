package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.admin.Admin;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** {@code submit --wait}: what it does for a job, and when it ends. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(180)
class SupervisedJobTest {
  @TempDir private Path directory;

  private final StringWriter said = new StringWriter();
  private final StringWriter failed = new StringWriter();
  private SubmitHarness harness;

  @BeforeEach
  void start(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    harness = new SubmitHarness(directory, kafka, registry);
  }

  @AfterEach
  void stop() {
    harness.close();
  }

  @Test
  void aJobThatItsSessionHasLostGoesOnFromItsNewestCheckpoint() throws Exception {
    harness.send(16);
    CompletableFuture<Integer> exitCode = supervise();
    harness.awaitSteps(2);
    awaitSaid("Staying with it until it ends");

    harness.replaceSession();
    awaitSaid("Flink does not know the job any more: its job manager has started anew");
    awaitSaid("It goes on from file:");
    harness.send(8);

    assertThat(harness.awaitSteps(3)).map(TrainingStep::getStep).containsExactly(1L, 2L, 3L);
    assertThat(exitCode).isNotDone();
    assertThat(harness.stop().exitCode()).isZero();
    assertThat(exitCode.get()).isZero();
    assertThat(said.toString()).endsWith("Job millrace was stopped." + System.lineSeparator());
  }

  @Test
  void itStaysWithAJobThatRunsAndEndsWhenThatIsCancelled() throws Exception {
    harness.submit();
    CompletableFuture<Integer> exitCode = supervise("--if-running=ok");
    awaitSaid("Staying with it until it ends");

    harness.stop("--no-savepoint");

    assertThat(exitCode.get()).isZero();
    assertThat(said.toString())
        .startsWith("Job millrace runs already, as ")
        .endsWith("Job millrace was cancelled." + System.lineSeparator());
  }

  /** Docker starts whatever ends, and a job that was just stopped is to be stopped. */
  @Test
  void withStayItOutlastsAJobThatWasStopped() throws Exception {
    try (ChildJvm supervisor =
        new ChildJvm(
            directory.resolve("logs"),
            MillraceCommand.class.getName(),
            harness.arguments("submit", "--wait", "--stay"))) {
      supervisor.awaitLine(line -> line.startsWith("Staying with it"));
      harness.send(8);
      harness.awaitSteps(1);
      assertThat(harness.stop().exitCode()).isZero();
      supervisor.awaitLine(line -> line.equals("Job millrace was stopped."));
      supervisor.awaitLine(line -> line.startsWith("Staying without a job"));

      assertThat(supervisor.handle().isAlive()).isTrue();
      supervisor.terminate();
      supervisor.awaitEnd();
      assertThat(supervisor.exitCode()).isEqualTo(143);
    }
  }

  @Test
  void aJobThatFailsForGoodIsNotStartedAgain(KafkaBroker kafka) throws Exception {
    CompletableFuture<Integer> exitCode =
        supervise(
            "--set=flink.restart-strategy.type=none",
            "--set=kafka.max.block.ms=2000",
            "--set=kafka.request.timeout.ms=1000",
            "--set=kafka.delivery.timeout.ms=2000");
    awaitSaid("Staying with it until it ends");
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka.bootstrapServers()))) {
      admin.deleteTopics(List.of(Topics.TRAINING_STEPS)).all().get();
    }

    harness.send(8);

    assertThat(exitCode.get()).isEqualTo(1);
    assertThat(failed.toString()).contains("the job failed for good: ");
    assertThat(said.toString().lines().filter(line -> line.contains("is submitted as"))).hasSize(1);
  }

  private CompletableFuture<Integer> supervise(String... more) {
    List<String> arguments = new ArrayList<>(List.of(harness.arguments("submit", more)));
    arguments.add("--wait");
    CommandLine command =
        new CommandLine(new MillraceCommand())
            .setOut(new PrintWriter(said, true))
            .setErr(new PrintWriter(failed, true));
    return CompletableFuture.supplyAsync(() -> command.execute(arguments.toArray(String[]::new)));
  }

  private void awaitSaid(String text) throws Exception {
    Await.value(
        "it says: " + text,
        Duration.ofMinutes(1),
        () -> said.toString() + failed,
        all -> all.contains(text));
  }
}
