package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.process.ExitCode;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.TrainingStep;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** A job from {@code submit} to {@code stop} and back. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(180)
class StopCommandTest {
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

  @Test
  void aStoppedJobGoesOnFromItsSavepoint() throws Exception {
    harness.send(20);
    String id = SubmitHarness.id(harness.submit());
    harness.awaitSteps(2);

    Said stopped = harness.stop();

    assertThat(stopped.exitCode()).as("%s", stopped).isZero();
    assertThat(stopped.out()).hasSize(2);
    assertThat(stopped.out().get(0))
        .startsWith("Job millrace (%s) is stopped; its state is in file:".formatted(id));
    String savepoint = stopped.out().get(0).replaceAll(".* is in ", "");
    assertThat(savepoint).startsWith(SubmitHarness.uri(harness.checkpoints()) + "/savepoints/");
    assertThat(stopped.out().get(1)).isEqualTo("millrace submit goes on from there");

    assertThat(harness.submit().out()).contains("It goes on from " + savepoint);
    harness.send(4);
    assertCountsOn(harness.awaitSteps(3), 3);
    assertThat(harness.stop("--no-savepoint").out())
        .singleElement()
        .asString()
        .endsWith("is cancelled; its checkpoints stay");
  }

  /** As after a stop by Flink's own tools: what was trained is published, and the state is away. */
  @Test
  void aStartThatHasLeftNoStateIsNotGuessed() throws Exception {
    harness.send(16);
    harness.submit();
    harness.awaitSteps(2);
    Path elsewhere = directory.resolve("elsewhere");

    Said stopped = harness.stop("--set=checkpoint.directory=" + elsewhere);

    String savepoint = stopped.out().get(0).replaceAll(".* is in ", "");
    assertThat(stopped.out().get(1))
        .isEqualTo(
            "millrace submit --from %s goes on from there: %s holds no record of this start"
                .formatted(savepoint, elsewhere));
    Said guess = harness.submit();
    assertThat(guess.exitCode()).isEqualTo(2);
    assertThat(guess.line())
        .contains(harness.checkpoints() + " holds no checkpoint of job millrace since its start at")
        .contains("name its savepoint with --from, or train everything again with --from none");
    assertThat(harness.submit("--from=" + savepoint).out())
        .contains("It goes on from " + savepoint);
    harness.send(8);
    assertCountsOn(harness.awaitSteps(3), 3);
  }

  @Test
  void aDrainedJobHasTrainedOnAllThatCameAndGoesOn() throws Exception {
    harness.send(20);
    harness.submit();
    harness.awaitSteps(2);

    assertThat(harness.stop("--drain").exitCode()).isZero();

    List<TrainingStep> steps = harness.awaitSteps(3);
    assertThat(steps.get(2).getClosedBy()).isEqualTo(BatchClosedBy.END_OF_INPUT);
    assertThat(steps.get(2).getCorrect()).hasSize(4);
    harness.submit();
    harness.send(8);
    assertCountsOn(harness.awaitSteps(4), 4);
  }

  @Test
  void thereMustBeAJobToStop() {
    Said answer = harness.stop("--set=job.name=mails");

    assertThat(answer.exitCode()).isEqualTo(ExitCode.NOT_FOUND);
    assertThat(answer.line())
        .startsWith("millrace: no job mails runs at 127.0.0.1:" + harness.flink().port());
  }

  @Test
  void aJobThatRunsAlreadyIsRefusedUnlessThatIsAllRight() throws Exception {
    String id = SubmitHarness.id(harness.submit());

    Said refused = harness.submit();
    assertThat(refused.exitCode()).isEqualTo(ExitCode.CONFLICT);
    assertThat(refused.line()).contains("job millrace is running already, as " + id);

    Said taken = harness.submit("--if-running=ok");
    assertThat(taken.exitCode()).isZero();
    assertThat(taken.out()).containsExactly("Job millrace runs already, as " + id);

    JsonNode found =
        new ObjectMapper().readTree(harness.submit("--if-running=ok", "--json").text());
    assertThat(found.path("id").asText()).isEqualTo(id);
    assertThat(found.path("submitted").asBoolean()).isFalse();
    JsonNode stopped = new ObjectMapper().readTree(harness.stop("--json").text()).get(0);
    assertThat(stopped.path("id").asText()).isEqualTo(id);
    assertThat(stopped.path("state").asText()).isEqualTo("stopped");
    JsonNode next = new ObjectMapper().readTree(harness.submit("--json").text());
    assertThat(next.path("submitted").asBoolean()).isTrue();
    assertThat(next.path("from").asText()).isEqualTo(stopped.path("savepoint").asText());
  }

  /** For as long as it may take to start, and no longer. */
  @Test
  void aJobThatNeedsMoreSlotsThanThereAreSaysSo() {
    Said answer = harness.submit("--set=job.parallelism=3", "--start-within=2");

    assertThat(answer.exitCode()).isEqualTo(1);
    assertThat(answer.err())
        .contains(
            "It waits for task managers, 2 s at most: it needs 3 task slots (job.parallelism), the"
                + " session has 1, of which 1 were free");
    assertThat(answer.err())
        .last()
        .asString()
        .contains("the job does not run after 2 s: it needs 3 task slots")
        .contains("it stays submitted, millrace stop --no-savepoint cancels it");
    assertThat(harness.stop("--no-savepoint").exitCode()).isZero();
  }

  private static void assertCountsOn(List<TrainingStep> steps, int last) {
    assertThat(steps)
        .map(TrainingStep::getStep)
        .containsExactlyElementsOf(LongStream.rangeClosed(1, last).boxed().toList());
  }
}
