package io.millrace.pipeline.submission;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.settings.JobSettings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.state.rocksdb.RocksDBConfigurableOptions;
import org.apache.flink.state.rocksdb.RocksDBOptions;

/** The job's Flink configuration. Any {@code flink.*} setting wins over it. */
final class JobConfiguration {
  private JobConfiguration() {}

  /**
   * @param checkpoints where checkpoints go
   * @param start where the job's state comes from; empty for a new one
   */
  static Configuration of(Settings settings, String checkpoints, Optional<StartingState> start) {
    Configuration configuration = new Configuration();
    configuration.set(PipelineOptions.NAME, settings.get(JobSettings.GROUP));
    // An operator hands its records to the next one of its task as they are, instead of a copy by
    // way of bytes; a large version would take three more places in the heap. No operator keeps or
    // changes a record that it has handed on, or been handed: what it keeps goes to state, as
    // bytes.
    configuration.set(PipelineOptions.OBJECT_REUSE, true);
    configuration.set(StateBackendOptions.STATE_BACKEND, "rocksdb");
    configuration.set(CheckpointingOptions.INCREMENTAL_CHECKPOINTS, true);
    configuration.set(RocksDBOptions.OPTIONS_FACTORY, FewerCompactions.class.getName());
    configuration.set(RocksDBConfigurableOptions.USE_BLOOM_FILTER, true);
    configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, uri(checkpoints));
    configuration.set(
        CheckpointingOptions.CHECKPOINTING_CONSISTENCY_MODE, CheckpointingMode.EXACTLY_ONCE);
    configuration.set(
        CheckpointingOptions.CHECKPOINTING_INTERVAL, settings.get(JobSettings.CHECKPOINT_INTERVAL));
    configuration.set(CheckpointingOptions.CHECKPOINTING_TIMEOUT, Duration.ofMinutes(10));
    configuration.set(CheckpointingOptions.TOLERABLE_FAILURE_NUMBER, Integer.MAX_VALUE);
    configuration.set(CheckpointingOptions.MAX_RETAINED_CHECKPOINTS, 2);
    configuration.set(
        CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
        ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION);
    configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "exponential-delay");
    configuration.set(
        RestartStrategyOptions.RESTART_STRATEGY_EXPONENTIAL_DELAY_INITIAL_BACKOFF,
        Duration.ofMillis(500));
    configuration.set(
        RestartStrategyOptions.RESTART_STRATEGY_EXPONENTIAL_DELAY_MAX_BACKOFF,
        Duration.ofSeconds(30));
    start.ifPresent(
        state -> {
          configuration.set(StateRecoveryOptions.SAVEPOINT_PATH, uri(state.path()));
          configuration.set(StateRecoveryOptions.RESTORE_MODE, state.claimMode());
        });
    settings.under("flink.").forEach(configuration::setString);
    requireCheckpoints(settings, configuration);
    return configuration;
  }

  /** Without checkpoints, or with too few, nothing would ever be committed. */
  private static void requireCheckpoints(Settings settings, Configuration configuration) {
    String key = CheckpointingOptions.CHECKPOINTING_INTERVAL.key();
    if (!settings.under("flink.").containsKey(key)) {
      return;
    }
    try {
      settings.with(
          JobSettings.CHECKPOINT_INTERVAL,
          configuration.get(CheckpointingOptions.CHECKPOINTING_INTERVAL));
    } catch (IllegalArgumentException | UsageException e) {
      throw new UsageException(
          "flink.%s: %s is not %s; it is the same as %s"
              .formatted(
                  key,
                  Setting.quoted(settings.under("flink.").get(key)),
                  JobSettings.CHECKPOINT_INTERVAL.allowed(),
                  JobSettings.CHECKPOINT_INTERVAL.key()),
          e);
    }
  }

  /**
   * As {@link #of}, for a program that a cluster runs: what Flink's own configuration sets stays,
   * unless a setting says otherwise. Where state comes from is not ours to say there.
   *
   * @param cluster Flink's configuration, with what the user gave on its command line
   * @throws UsageException where neither says where checkpoints go
   */
  static Configuration ofApplication(Settings settings, ReadableConfig cluster) {
    Map<String, String> explicit = settings.explicit();
    Set<String> ours = new HashSet<>(settings.under("flink.").keySet());
    ours.add(PipelineOptions.NAME.key());
    if (explicit.containsKey(JobSettings.CHECKPOINT_INTERVAL.key())) {
      ours.add(CheckpointingOptions.CHECKPOINTING_INTERVAL.key());
    }
    if (explicit.containsKey(JobSettings.CHECKPOINT_DIRECTORY.key())) {
      ours.add(CheckpointingOptions.CHECKPOINTS_DIRECTORY.key());
    } else if (cluster.getOptional(CheckpointingOptions.CHECKPOINTS_DIRECTORY).isEmpty()) {
      throw new UsageException(
          "nothing says where checkpoints go: set %s or Flink's %s"
              .formatted(
                  JobSettings.CHECKPOINT_DIRECTORY.key(),
                  CheckpointingOptions.CHECKPOINTS_DIRECTORY.key()));
    }
    Configuration configuration = of(settings, JobSettings.checkpoints(settings), Optional.empty());
    for (String key : Set.copyOf(configuration.keySet())) {
      ConfigOption<String> option = ConfigOptions.key(key).stringType().noDefaultValue();
      if (!ours.contains(key) && cluster.getOptional(option).isPresent()) {
        configuration.removeConfig(option);
      }
    }
    return configuration;
  }

  static String uri(String pathOrUri) {
    return pathOrUri.matches("[a-zA-Z][a-zA-Z0-9+.-]*:.*")
        ? pathOrUri
        : Path.of(pathOrUri).toAbsolutePath().toUri().toString();
  }
}
