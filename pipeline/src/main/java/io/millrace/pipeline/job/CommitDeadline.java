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
 * <p>Each attempt at a checkpoint leaves a Kafka transaction behind, written and not committed; the
 * first one that succeeds commits them all. Kafka aborts a transaction at the end of its timeout,
 * the sink's committer only logs that, and state would then be ahead of the topics for good: steps
 * and versions would be missing. Restarted in time, the job writes all of it again.
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
   * @param limit the time after which no more checkpoint is begun; what one takes, and the commit
   *     after it, must fit into the rest of the transactions' timeout
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
   * @throws IllegalStateException where it is too late for another
   */
  void beginCheckpoint(long checkpoint) {
    long now = nanoTime.getAsLong();
    // Without a failed attempt there is one open transaction, and its producer notices its end.
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
