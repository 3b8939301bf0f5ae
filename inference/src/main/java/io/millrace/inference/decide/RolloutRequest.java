package io.millrace.inference.decide;

import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutRefusedException;
import java.util.Locale;

/**
 * What somebody asks to be decided about a domain's rollout.
 *
 * @param version null where the state says which
 * @param share a candidate's, or of those to come; null where it was not given
 * @param policy of a change of policy
 * @param revision that it is to be decided on top of; null for the current one
 * @param reason why, for people
 * @param author who asks
 */
public record RolloutRequest(
    Action action,
    String domain,
    Long version,
    Double share,
    RolloutPolicy policy,
    Long revision,
    String reason,
    String author) {
  private static final double DEFAULT_SHARE = 0.1;

  /** What can be asked for, each at a path of its own. */
  public enum Action {
    CANARY,
    PROMOTE,
    ROLLBACK,
    PIN,
    POLICY;

    /** As clients write it. */
    public String word() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * The event that says so.
   *
   * @throws RolloutRefusedException where it cannot be decided
   */
  RolloutEvent decide(RolloutDecisions decisions) throws RolloutRefusedException {
    return switch (action) {
      case CANARY -> decisions.canary(version, share == null ? DEFAULT_SHARE : share);
      case PROMOTE -> decisions.promote(version);
      case ROLLBACK -> decisions.rollback(version);
      case PIN -> decisions.pin(version);
      case POLICY -> decisions.policy(policy, share);
    };
  }
}
