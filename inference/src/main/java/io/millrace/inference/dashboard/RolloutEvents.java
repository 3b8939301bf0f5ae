package io.millrace.inference.dashboard;

import io.millrace.client.rollout.RolloutKind;
import io.millrace.client.rollout.RolloutReading;
import io.millrace.inference.store.StreamOffset;
import io.millrace.inference.store.TopicIdentity;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicReference;

/** Takes the events of one kind, all that there ever were: a rollout is the fold of them. */
final class RolloutEvents extends MemoryIntake<RolloutEvent> {
  private final RolloutKind kind;
  private final TrackedDomains domains;
  private int partitions;

  /**
   * @param topic shared by the two kinds
   */
  RolloutEvents(RolloutKind kind, TrackedDomains domains, AtomicReference<TopicIdentity> topic) {
    super(Topics.ROLLOUTS, RolloutEvent.class, topic);
    this.kind = kind;
    this.domains = domains;
  }

  @Override
  public void partitions(int count) {
    partitions = count;
  }

  @Override
  public void record(byte[] key, RolloutEvent event, StreamOffset after, Instant time) {
    if (new RolloutReading(kind, partitions).read(after.partition(), event)
        instanceof RolloutReading.Counts counts) {
      domains.take(counts.event(), time);
    }
    read(after);
  }

  @Override
  void forget() {
    domains.forgetRollouts();
  }
}
