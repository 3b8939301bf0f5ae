package io.millrace.pipeline.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class LocalSlotsTest {
  @Test
  void slotsFollowParallelism() {
    assertThat(JobSettings.localSlots(settings("job.parallelism=1"))).isEqualTo(1);
    assertThat(JobSettings.localSlots(settings("job.parallelism=32"))).isEqualTo(32);
  }

  @Test
  void whatThisProcessCannotHaveIsRefusedInsteadOfWaitedFor() {
    assertThatThrownBy(() -> JobSettings.localSlots(settings("job.parallelism=33")))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("job.parallelism=33: this command runs at most 32 training");
    assertThatThrownBy(() -> JobSettings.localSlots(settings("training.device=gpu")))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("training.device=gpu asks Flink for task managers with GPUs");
  }

  private static Settings settings(String set) {
    return Settings.of(JobSettings.ALL, null, List.of(set));
  }
}
