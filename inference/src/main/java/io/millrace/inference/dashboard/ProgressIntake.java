package io.millrace.inference.dashboard;

import io.millrace.inference.log.ReadStart;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.Topics;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicReference;

/** Takes the progress of the last day. */
final class ProgressIntake extends MemoryIntake<DomainProgress> {
  /** As many bytes as a domain's name may have, and so no fewer characters. */
  private static final int MOST_NAME = 4096;

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
    if (progress != null && progress.getDomain().length() <= MOST_NAME) {
      domains.take(progress);
    }
    read(after);
  }

  @Override
  void forget() {
    domains.forgetProgress();
  }
}
