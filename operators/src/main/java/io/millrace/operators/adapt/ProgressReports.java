package io.millrace.operators.adapt;

import io.millrace.operators.output.OutgoingRecords;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.FrozenScore;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.TrainingProgress;
import io.millrace.schemas.TrainingStep;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.apache.flink.streaming.api.operators.TimestampedCollector;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/** Reports to people how a domain is doing, after each of its steps. For the task's thread. */
final class ProgressReports implements AutoCloseable {
  private final TimestampedCollector<OutgoingRecord> out;
  private final Optional<FrozenComparison> frozen;
  private final DomainMetrics metrics;

  /** Null before the first since the task started. */
  private Instant checkpointedAt;

  ProgressReports(
      TimestampedCollector<OutgoingRecord> out,
      Optional<FrozenComparison> frozen,
      DomainMetrics metrics) {
    this.out = out;
    this.frozen = frozen;
    this.metrics = metrics;
  }

  /** A checkpoint is complete. */
  void checkpointed(Instant at) {
    checkpointedAt = at;
  }

  /**
   * Reports a step of the current domain.
   *
   * @param batch what it trained on
   * @param state after the step, and after the version that it led to
   */
  void report(String domain, List<ReceivedExample> batch, TrainingStep step, DomainState state)
      throws IOException {
    Optional<FrozenScore> score =
        frozen.isPresent() ? frozen.get().compare(domain, batch, step) : Optional.empty();
    score.ifPresent(compared -> metrics.compared(domain, step.getCorrect(), compared));
    TrainingProgress training =
        TrainingProgress.newBuilder()
            .setStep(step.getStep())
            .setTotalExamples(state.getExamples())
            .setVersion(state.getVersion())
            .setExamples(batch.size())
            .setCorrect(step.getCorrect())
            .setLoss(step.getLoss())
            .setStepMillis(step.getStepMillis())
            .setNewestExampleAt(
                Instant.ofEpochMilli(
                    batch.stream().mapToLong(ReceivedExample::getTimestamp).max().orElseThrow()))
            .setCheckpointedAt(checkpointedAt)
            .setFrozen(score.orElse(null))
            .build();
    DomainProgress progress = new DomainProgress(domain, Instant.now(), training, null);
    out.collect(OutgoingRecords.PROGRESS, new StreamRecord<>(OutgoingRecords.progress(progress)));
  }

  /** Drops the current domain. */
  void forget() {
    frozen.ifPresent(FrozenComparison::forget);
  }

  @Override
  public void close() {
    frozen.ifPresent(FrozenComparison::close);
  }
}
