package io.millrace.operators.evidence;

import io.millrace.schemas.EvidenceState;
import io.millrace.schemas.RolloutState;
import io.millrace.schemas.rollout.Rollout;

/** Conversions between a rollout and the Avro record in keyed state. */
final class EvidenceStates {
  private EvidenceStates() {}

  /** The state of a domain before any event. */
  static EvidenceState initial(String domain) {
    return EvidenceState.newBuilder().setRollout(write(Rollout.initial(domain))).build();
  }

  /** The rollout without its last decision, which evidence does not use. */
  static Rollout read(String domain, RolloutState state) {
    return new Rollout(
        domain,
        state.getRevision(),
        state.getPolicy(),
        state.getDecidedStable(),
        state.getPrevious(),
        state.getCandidate(),
        state.getShare(),
        state.getHeld(),
        state.getTriedThrough(),
        state.getNewest(),
        null);
  }

  static RolloutState write(Rollout rollout) {
    return new RolloutState(
        rollout.revision(),
        rollout.policy(),
        rollout.decidedStable(),
        rollout.previous(),
        rollout.candidate(),
        rollout.share(),
        rollout.held(),
        rollout.triedThrough(),
        rollout.newest());
  }
}
