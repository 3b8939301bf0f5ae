package io.millrace.pipeline.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class FlinkNamesTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "restart-strategy.exponential-delay.max-backoff",
        "execution.checkpointing.tolerable-failed-checkpoints",
        "state.backend.rocksdb.localdir",
        "state.backend.rocksdb.memory.managed",
        "pipeline.object-reuse",
        "parallelism.default",
        "metrics.reporter.prom.port",
        "s3.access-key",
      })
  void whatFlinkKnowsIsHandedOn(String name) {
    Settings settings = Settings.of(JobSettings.ALL, null, List.of("flink." + name + "=1"));

    assertThat(settings.under("flink.")).containsExactly(Map.entry(name, "1"));
  }

  @ParameterizedTest
  @CsvSource({
    "restart-strategy.exponential-delay.max-backof, restart-strategy.exponential-delay.max-backoff",
    "execution.checkpointing.intervall, execution.checkpointing.interval",
    "pipeline.objectreuse, pipeline.object-reuse",
  })
  void whatItDoesNotKnowIsRefusedWithTheNearestName(String name, String nearest) {
    assertThatThrownBy(() -> Settings.of(JobSettings.ALL, null, List.of("flink." + name + "=1")))
        .isInstanceOf(UsageException.class)
        .hasMessage("no setting is called 'flink." + name + "'; the nearest is flink." + nearest);
  }

  @Test
  void variablesMayNameThem() {
    Map<String, String> environment =
        Map.of(
            "MILLRACE_FLINK_RESTART_STRATEGY_EXPONENTIAL_DELAY_MAX_BACKOFF", "1 s",
            "MILLRACE_FLINK_S3_ACCESS_KEY", "k",
            "MILLRACE_JOB_NAME", "mine",
            "MILLRACE_BATCH_SIZE", "4");

    assertThat(Settings.of(JobSettings.ALL, List.of(), environment, List.of()).explicit())
        .isEqualTo(
            Map.of(
                "flink.restart-strategy.exponential-delay.max-backoff", "1 s",
                "flink.s3.access.key", "k",
                "job.name", "mine",
                "batch.size", "4"));
    assertThatThrownBy(
            () ->
                Settings.of(
                    JobSettings.ALL,
                    List.of(),
                    Map.of("MILLRACE_FLINK_PIPELINE_OBJECTREUSE", "true"),
                    List.of()))
        .hasMessageEndingWith("the nearest is MILLRACE_FLINK_PIPELINE_OBJECT_REUSE");
  }
}
