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
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.state.rocksdb.RocksDBConfigurableOptions;
import org.apache.flink.state.rocksdb.RocksDBOptions;
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

  @Test
  void checkpointsFollowTheActiveDomainsUnlessFlinkIsToldOtherwise() throws Exception {
    Configuration ours = of(INTERVAL + "2 s");
    assertThat(Class.forName(ours.get(RocksDBOptions.OPTIONS_FACTORY)))
        .isEqualTo(FewerCompactions.class);
    assertThat(ours.get(RocksDBConfigurableOptions.USE_BLOOM_FILTER)).isTrue();

    assertThat(
            of("flink.state.backend.rocksdb.options-factory=org.example.Other")
                .get(RocksDBOptions.OPTIONS_FACTORY))
        .isEqualTo("org.example.Other");
  }

  @Test
  void recordsAreHandedOnWithoutACopyUnlessFlinkIsToldOtherwise() {
    assertThat(of("job.parallelism=1").get(PipelineOptions.OBJECT_REUSE)).isTrue();

    assertThat(of("flink.pipeline.object-reuse=false").get(PipelineOptions.OBJECT_REUSE)).isFalse();
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
