package io.millrace.client.rollout;

import io.millrace.schemas.RolloutAction;
import org.apache.kafka.common.IsolationLevel;

/**
 * The two kinds of events in {@code rollouts}. A consumer of its own reads each, at its own
 * isolation level.
 *
 * <p>A publication is written in the transaction of the version it names, so it counts once that
 * transaction has committed. Every other event is written in no transaction and counts as it
 * stands: a transaction that a killed job left open, for up to a quarter of an hour, must not hide
 * a rollback. The state of a rollout does not depend on how the two were read in between; see
 * {@link io.millrace.schemas.rollout.Rollout}.
 */
public enum RolloutKind {
  /** Decisions and notes. */
  DECISIONS("decisions", IsolationLevel.READ_UNCOMMITTED),
  /** Versions that were published. */
  PUBLICATIONS("publications", IsolationLevel.READ_COMMITTED);

  private final String id;
  private final IsolationLevel isolation;

  RolloutKind(String id, IsolationLevel isolation) {
    this.id = id;
    this.isolation = isolation;
  }

  /** Its name in local stores and in the uids of the job: it never changes. */
  public String id() {
    return id;
  }

  /** The isolation level of a consumer that reads it, as Kafka's {@code isolation.level}. */
  public String isolation() {
    return isolation.toString();
  }

  /** Whether events with that action are of this kind. */
  boolean includes(RolloutAction action) {
    return (action == RolloutAction.PUBLISHED) == (this == PUBLICATIONS);
  }
}
