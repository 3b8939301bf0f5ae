package io.millrace.pipeline.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Tag("chaos")
@Timeout(240)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class ChaosTest {
  @TempDir private static Path directory;

  private static ChaosRig rig;
  private static DealtStream stream;
  private static Outcome undisturbed;

  @BeforeAll
  static void start() throws Exception {
    rig = ChaosRig.start(directory, Path.of("target", "chaos-logs").toAbsolutePath());
    stream =
        DealtStream.ofWordNet(
            Integer.getInteger("chaos.examples", 3000), directory.resolve("stream.jsonl"));
    try (Run run = rig.begin("undisturbed", stream, 2)) {
      undisturbed = run.finish();
    }
    System.out.println(undisturbed.training() + " " + undisturbed.longestPause());
    assertThat(undisturbed.examples()).isEqualTo(stream.examples());
    assertThat(undisturbed.chains().domains()).hasSize(DealtStream.DOMAINS);
  }

  @AfterAll
  static void stop() {
    if (rig != null) {
      rig.close();
    }
  }

  @Test
  @Order(1)
  void aKilledTaskManager() throws Exception {
    try (Run run = rig.begin("task-manager", stream, 2)) {
      run.awaitPart(0.25);
      run.fails();
      rig.flink().killTaskManager();
      run.until(run::wentOn);
      rig.flink().startTaskManager();
      check(run);
    }
  }

  private static void check(Run run) throws Exception {
    Outcome outcome = run.finish();
    System.out.println(
        outcome.name()
            + " "
            + outcome.training()
            + " "
            + outcome.longestPause()
            + " "
            + outcome.untilNextStep()
            + " "
            + outcome.restarts()
            + " "
            + run.causes());
    assertThat(outcome.chains()).isEqualTo(undisturbed.chains());
  }
}
