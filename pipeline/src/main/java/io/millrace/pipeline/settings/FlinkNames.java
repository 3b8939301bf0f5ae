package io.millrace.pipeline.settings;

import java.lang.reflect.Field;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.apache.flink.client.cli.ClientOptions;
import org.apache.flink.configuration.AlgorithmOptions;
import org.apache.flink.configuration.BatchExecutionOptions;
import org.apache.flink.configuration.BlobServerOptions;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.CleanupOptions;
import org.apache.flink.configuration.ClusterOptions;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.FallbackKey;
import org.apache.flink.configuration.HeartbeatManagerOptions;
import org.apache.flink.configuration.HighAvailabilityOptions;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.MetricOptions;
import org.apache.flink.configuration.NettyShuffleEnvironmentOptions;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.ResourceManagerOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.RpcOptions;
import org.apache.flink.configuration.SecurityOptions;
import org.apache.flink.configuration.SinkOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.StateChangelogOptions;
import org.apache.flink.configuration.StateLatencyTrackOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.configuration.StateSizeTrackOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.configuration.TraceOptions;
import org.apache.flink.configuration.WebOptions;
import org.apache.flink.state.rocksdb.RocksDBConfigurableOptions;
import org.apache.flink.state.rocksdb.RocksDBNativeMetricOptions;
import org.apache.flink.state.rocksdb.RocksDBOptions;
import org.apache.flink.state.rocksdb.sstmerge.RocksDBManualCompactionOptions;

/**
 * The names of settings that Flink knows: its options are constants, and it has no list of them.
 */
final class FlinkNames {
  private static final List<Class<?>> OPTIONS =
      List.of(
          AlgorithmOptions.class,
          BatchExecutionOptions.class,
          BlobServerOptions.class,
          CheckpointingOptions.class,
          CleanupOptions.class,
          ClientOptions.class,
          ClusterOptions.class,
          CoreOptions.class,
          DeploymentOptions.class,
          ExecutionOptions.class,
          HeartbeatManagerOptions.class,
          HighAvailabilityOptions.class,
          JobManagerOptions.class,
          MetricOptions.class,
          NettyShuffleEnvironmentOptions.class,
          PipelineOptions.class,
          ResourceManagerOptions.class,
          RestOptions.class,
          RestartStrategyOptions.class,
          RocksDBConfigurableOptions.class,
          RocksDBManualCompactionOptions.class,
          RocksDBNativeMetricOptions.class,
          RocksDBOptions.class,
          RpcOptions.class,
          SecurityOptions.class,
          SinkOptions.class,
          StateBackendOptions.class,
          StateChangelogOptions.class,
          StateLatencyTrackOptions.class,
          StateRecoveryOptions.class,
          StateSizeTrackOptions.class,
          TaskManagerOptions.class,
          TraceOptions.class,
          WebOptions.class);

  /** Plug-ins, file systems and Java's environment know any name below these. */
  private static final List<String> OPEN =
      List.of(
          "azure.",
          "env.",
          "containerized.",
          "external-resource.",
          "fs.",
          "gs.",
          "high-availability.",
          "kubernetes.",
          "metrics.",
          "presto.",
          "s3.",
          "s3a.",
          "security.");

  private FlinkNames() {}

  /**
   * @param set what was set, by key
   */
  static Optional<Set<String>> known(Map<String, String> set) {
    Set<String> names = new TreeSet<>();
    for (Class<?> options : OPTIONS) {
      for (Field field : options.getFields()) {
        if (ConfigOption.class.isAssignableFrom(field.getType())) {
          add(names, field);
        }
      }
    }
    for (String key : set.keySet()) {
      String name = key.startsWith("flink.") ? key.substring("flink.".length()) : "";
      if (OPEN.stream().anyMatch(name::startsWith)) {
        names.add(name);
      }
    }
    return Optional.of(names);
  }

  private static void add(Set<String> names, Field field) {
    try {
      ConfigOption<?> option = (ConfigOption<?>) field.get(null);
      names.add(option.key());
      for (FallbackKey other : option.fallbackKeys()) {
        names.add(other.getKey());
      }
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
  }
}
