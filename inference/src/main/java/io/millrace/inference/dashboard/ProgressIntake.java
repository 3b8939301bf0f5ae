package io.millrace.inference.dashboard;

import io.millrace.inference.log.ReadStart;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.Topics;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicReference;

/** Takes the progress of the last day. */
final class ProgressIntake extends MemoryIntake<DomainProgress> {
  private final TrackedDomains domains;

  ProgressIntake(TrackedDomains domains) {
    super(Topics.TRAINING_PROGRESS, DomainProgress.class, new AtomicReference<>());
    this.domains = domains;
  }

  @Override
  public ReadStart start() {
    return new ReadStart.NoOlderThan(DomainHistory.AGE);
  }

  @Override
  public void record(byte[] key, DomainProgress progress, StreamOffset after, Instant time) {
    if (progress != null) {
      domains.take(progress);
    }
    read(after);
  }

  @Override
  void forget() {
    domains.forgetProgress();
  }
}
