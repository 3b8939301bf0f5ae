package io.millrace.inference.decide;

import io.millrace.client.kafka.TraceContext;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutRefusedException;
import java.util.Locale;

/**
 * A decision about a domain's rollout that a client asks for.
 *
 * @param version the version to decide about; null where the state of the rollout implies it
 * @param share the candidate's share of the requests, above 0 and at most 1; null for the default
 * @param policy the new policy of a change of policy; null otherwise
 * @param revision the revision that the decision is based on; null for the current one
 * @param reason free text for readers of the history
 * @param author who asks
 * @param trace the trace that the request belongs to
 */
public record RolloutRequest(
    Action action,
    String domain,
    Long version,
    Double share,
    RolloutPolicy policy,
    Long revision,
    String reason,
    String author,
    TraceContext trace) {
  private static final double DEFAULT_SHARE = 0.1;

  /** The kinds of decisions, each with a path of its own. */
  public enum Action {
    CANARY,
    PROMOTE,
    ROLLBACK,
    PIN,
    POLICY;

    /** The last segment of its path, such as {@code canary}. */
    public String word() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * The event of the decision.
   *
   * @throws RolloutRefusedException where the rules do not allow it
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
