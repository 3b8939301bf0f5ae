package io.millrace.pipeline.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The short form of {@link ChaosTest}: one failure, in a small stream. */
@Tag("integration")
@Timeout(240)
class TaskManagerKillTest {
  @TempDir private Path directory;

  @Test
  void everyHashIsAsIfNothingHadHappened() throws Exception {
    Path logs = Path.of("target", "task-manager-kill-logs").toAbsolutePath();
    try (ChaosRig rig = ChaosRig.start(directory, logs)) {
      DealtStream stream = DealtStream.ofWordNet(480, directory.resolve("stream.jsonl"));
      Outcome undisturbed;
      try (Run run = rig.begin("undisturbed", stream, 2)) {
        undisturbed = run.finish();
      }
      try (Run run = rig.begin("killed", stream, 2)) {
        run.awaitPart(0.1);
        rig.flink().killTaskManager();
        Outcome killed = run.finish();

        assertThat(killed.restarts()).isPositive();
        assertThat(killed.chains().differences(undisturbed.chains())).isEmpty();
      }
      assertThat(undisturbed.examples()).isEqualTo(480);
      assertThat(undisturbed.chains().domains()).hasSize(DealtStream.DOMAINS);
    }
  }
}
