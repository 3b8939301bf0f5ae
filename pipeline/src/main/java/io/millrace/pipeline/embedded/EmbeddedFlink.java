package io.millrace.pipeline.embedded;

import io.millrace.client.process.LoopbackPort;
import io.millrace.client.process.UsageException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.configuration.WebOptions;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A Flink session in this process; jobs reach it over REST, as they would any cluster. */
public final class EmbeddedFlink implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(EmbeddedFlink.class);

  /** For RocksDB: what one slot has of the memory of two. */
  private static final int MANAGED_MIB_OF_SLOT = 64;

  /** Each keyed exchange of the job has a channel from every slot to every slot. */
  private static final int NETWORK_KIB_OF_PAIR = 100;

  private final MiniCluster cluster;
  private final int port;

  private EmbeddedFlink(MiniCluster cluster, int port) {
    this.cluster = cluster;
    this.port = port;
  }

  /**
   * @param scratch for temporary files
   * @param port of the REST interface; 0 is a free one
   * @param slots of the one task manager
   * @throws UsageException where the port is taken
   */
  public static EmbeddedFlink start(Path scratch, int port, int slots) {
    int claimed = LoopbackPort.claim(port, "Flink", "--flink-port");
    Configuration configuration = new Configuration();
    configuration.set(CoreOptions.TMP_DIRS, scratch.toString());
    configuration.set(RestOptions.ADDRESS, LoopbackPort.HOST);
    configuration.set(RestOptions.BIND_ADDRESS, LoopbackPort.HOST);
    configuration.set(RestOptions.BIND_PORT, Integer.toString(claimed));
    configuration.set(JobManagerOptions.BIND_HOST, LoopbackPort.HOST);
    configuration.set(TaskManagerOptions.HOST, LoopbackPort.HOST);
    configuration.set(TaskManagerOptions.BIND_HOST, LoopbackPort.HOST);
    configuration.set(WebOptions.UPLOAD_DIR, scratch.toString());
    configuration.set(
        TaskManagerOptions.MANAGED_MEMORY_SIZE,
        MemorySize.ofMebiBytes(Math.max(128, MANAGED_MIB_OF_SLOT * (long) slots)));
    MemorySize network =
        MemorySize.ofMebiBytes(Math.max(16, slots * (long) slots * NETWORK_KIB_OF_PAIR / 1024));
    configuration.set(TaskManagerOptions.NETWORK_MEMORY_MIN, network);
    configuration.set(TaskManagerOptions.NETWORK_MEMORY_MAX, network);
    // A buffer of the default 32 KiB holds seconds of training, and a checkpoint waits behind it.
    configuration.set(TaskManagerOptions.MEMORY_SEGMENT_SIZE, MemorySize.parse("4kb"));
    try {
      MiniCluster cluster =
          new MiniCluster(
              new MiniClusterConfiguration.Builder()
                  .setConfiguration(configuration)
                  .setNumTaskManagers(1)
                  .setNumSlotsPerTaskManager(slots)
                  .build());
      cluster.start();
      return new EmbeddedFlink(cluster, cluster.getRestAddress().get().getPort());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while Flink started", e);
    } catch (Exception e) {
      throw new IllegalStateException("Flink does not start: " + e.getMessage(), e);
    }
  }

  /** Port of the REST interface on 127.0.0.1. */
  public int port() {
    return port;
  }

  /** Stops the session and what runs in it; checkpoints stay. */
  @Override
  public void close() {
    try {
      cluster.closeAsync().get(Duration.ofSeconds(20).toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (TimeoutException | ExecutionException e) {
      LOG.warn("Flink did not stop cleanly", e);
    }
  }
}
