package io.millrace.pipeline.job;

import io.millrace.schemas.OutgoingRecord;
import java.time.Duration;
import java.util.TreeMap;
import java.util.function.LongSupplier;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;

/**
 * Passes records on to the sink, and fails the job when no checkpoint has completed for too long.
 *
 * <p>Each failed checkpoint leaves a Kafka transaction that is written and not committed. The first
 * checkpoint that completes commits them all. Kafka aborts a transaction when its timeout expires,
 * and the committer of the sink only logs that. The state would then stay ahead of the topics, and
 * steps and versions would be missing. Restarted in time, the job goes back to the last checkpoint
 * and writes everything again.
 */
final class CommitDeadline
    implements MapFunction<OutgoingRecord, OutgoingRecord>,
        CheckpointedFunction,
        CheckpointListener {
  private static final long serialVersionUID = 1;

  private final Duration limit;

  private transient LongSupplier nanoTime;
  private transient long committedThrough;
  private transient TreeMap<Long, Long> snapshots;

  /**
   * @param limit the time after which no checkpoint begins; a checkpoint and its commit must fit
   *     into the rest of the transaction timeout
   */
  CommitDeadline(Duration limit) {
    this.limit = limit;
  }

  @Override
  public OutgoingRecord map(OutgoingRecord record) {
    return record;
  }

  @Override
  public void initializeState(FunctionInitializationContext context) {
    start(System::nanoTime);
  }

  void start(LongSupplier clock) {
    nanoTime = clock;
    committedThrough = clock.getAsLong();
    snapshots = new TreeMap<>();
  }

  @Override
  public void snapshotState(FunctionSnapshotContext context) {
    beginCheckpoint(context.getCheckpointId());
  }

  /**
   * @throws IllegalStateException if the limit has passed since the last completed checkpoint
   */
  void beginCheckpoint(long checkpoint) {
    long now = nanoTime.getAsLong();
    // Without a failed checkpoint one transaction is open, and its producer notices when it
    // expires.
    boolean attempted = !snapshots.isEmpty();
    if (attempted && now - committedThrough > limit.toNanos()) {
      throw new IllegalStateException(
          "no checkpoint has completed for %d s, so nothing could be committed; the job goes back to"
                  .formatted(Duration.ofNanos(now - committedThrough).toSeconds())
              + " the last one, before Kafka aborts what is written. Flink says why checkpoints"
              + " fail");
    }
    snapshots.put(checkpoint, now);
  }

  @Override
  public void notifyCheckpointComplete(long checkpoint) {
    Long begun = snapshots.get(checkpoint);
    if (begun != null) {
      committedThrough = begun;
    }
    snapshots.headMap(checkpoint, true).clear();
  }
}
