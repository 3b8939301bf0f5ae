package io.millrace.pipeline.submission;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.settings.JobSettings;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class JobConfigurationTest {
  private static final String INTERVAL = "flink.execution.checkpointing.interval=";

  @Test
  void aSettingOfFlinkWins() {
    assertThat(of(INTERVAL + "2 s").get(CheckpointingOptions.CHECKPOINTING_INTERVAL))
        .isEqualTo(Duration.ofSeconds(2));
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "1 h", "-1 s", "1 ms", "never"})
  void flinkCannotBeToldToCommitNothingEither(String interval) {
    assertThatThrownBy(() -> of(INTERVAL + interval))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(
            "flink.execution.checkpointing.interval: '" + interval + "' is not a duration")
        .hasMessageEndingWith("from 10ms to 4m; it is the same as checkpoint.interval");
  }

  private static Configuration of(String set) {
    Settings settings = Settings.of(JobSettings.ALL, null, List.of(set));
    return JobConfiguration.of(settings, "/tmp/checkpoints", Optional.empty());
  }
}
