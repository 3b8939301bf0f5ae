package io.millrace.inference.store;

import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.rollout.Rollout;

/**
 * The two kinds of events in {@code rollouts}, each read by a consumer of its own.
 *
 * <p>Publications are written in the transaction of the version they name, so they are read once it
 * has committed. Everything else is written in no transaction and read as it stands: a job that
 * died with a transaction open keeps nobody from rolling back. What a rollout amounts to does not
 * depend on how the two were read in between; see {@link Rollout}.
 */
public enum RolloutKind {
  /** Decisions and notes. */
  DECISIONS("decisions", "read_uncommitted"),
  /** Versions that were published. */
  PUBLICATIONS("publications", "read_committed");

  private final String id;
  private final String isolation;

  RolloutKind(String id, String isolation) {
    this.id = id;
    this.isolation = isolation;
  }

  /** The consumer's isolation level. */
  public String isolation() {
    return isolation;
  }

  /** Whether such an event is of this kind. */
  public boolean takes(RolloutAction action) {
    return (action == RolloutAction.PUBLISHED) == (this == PUBLICATIONS);
  }

  /** Its name in the store, which no release may change. */
  String id() {
    return id;
  }
}
