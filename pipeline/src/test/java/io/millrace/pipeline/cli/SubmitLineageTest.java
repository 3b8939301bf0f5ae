package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Whose state {@code submit} takes, where several jobs and branches share one directory. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(180)
class SubmitLineageTest {
  @TempDir private Path directory;

  private SubmitHarness harness;

  /** What the last submit printed. */
  private List<String> said;

  @BeforeEach
  void start(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    harness = new SubmitHarness(directory, kafka, registry);
    harness.send(16);
  }

  @AfterEach
  void stop() {
    harness.close();
  }

  @Test
  void twoJobsInOneDirectoryKeepTheirStates() throws Exception {
    Path first = run("reviews", "none", 1);
    Path second = run("mails", "none", 1);

    run("reviews", "latest", 1);
    assertThat(said).contains("It goes on from " + SubmitHarness.uri(first));
    run("mails", "latest", 1);
    assertThat(said).contains("It goes on from " + SubmitHarness.uri(second));
  }

  @Test
  void anAbandonedBranchDoesNotComeBack() throws Exception {
    Path old = run("reviews", "none", 5);
    Path fresh = run("reviews", "none", 1);

    assertThat(said)
        .contains("It starts without state")
        .anyMatch(line -> line.startsWith("It leaves what job reviews has trained since the start"))
        .anyMatch(
            line ->
                line.endsWith("is " + SubmitHarness.uri(old) + ", which --from takes up again"));

    run("reviews", "latest", 1);
    assertThat(said).contains("It goes on from " + SubmitHarness.uri(fresh));
  }

  /** Known when it is submitted: nothing is, and no job runs that cannot. */
  @Test
  void settingsThatCannotReadTheStateAreRefused() throws Exception {
    Path checkpoint = run("reviews", "none", 1);

    Said answer = harness.submit("--set=job.name=reviews", "--set=adapter.method=head");

    assertThat(answer.exitCode()).isEqualTo(2);
    assertThat(answer.out()).isEmpty();
    assertThat(answer.line())
        .contains(
            SubmitHarness.uri(checkpoint)
                + " was trained with the adapter method svft:plain, the settings say head: set what"
                + " it was trained with, or train everything again with --from none");
  }

  /** Submits, waits for that checkpoint, and cancels; gives the start's newest checkpoint. */
  private Path run(String name, String from, int checkpoint) throws Exception {
    Said answer = harness.submit("--from=" + from, "--set=job.name=" + name);
    assertThat(answer.err()).isEmpty();
    said = answer.out();
    String id = SubmitHarness.id(answer);
    harness.awaitCheckpoint(id, checkpoint);
    assertThat(harness.stop("--no-savepoint", "--set=job.name=" + name).err()).isEmpty();
    return harness.newestCheckpoint(id);
  }
}
