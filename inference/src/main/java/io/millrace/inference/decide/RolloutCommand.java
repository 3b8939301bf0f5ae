package io.millrace.inference.decide;

import io.millrace.inference.http.JsonBody;
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
public record RolloutCommand(
    Action action,
    String domain,
    Long version,
    Double share,
    RolloutPolicy policy,
    Long revision,
    String reason,
    String author) {
  private static final double DEFAULT_SHARE = 0.1;

  /** Longer ones are no help to those who read the history. */
  private static final int MAX_WORDS = 1000;

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
   * @param body JSON in UTF-8
   */
  public static RolloutCommand parse(Action action, byte[] body) throws JsonBody.InvalidException {
    JsonBody json = JsonBody.parse(body, "the string domain");
    boolean canary = action == Action.CANARY;
    boolean policy = action == Action.POLICY;
    return new RolloutCommand(
        action,
        json.required("domain"),
        policy ? null : json.optionalLong("version"),
        canary || policy ? json.optionalNumber("share") : null,
        policy ? policy(json.required("policy")) : null,
        json.optionalLong("revision"),
        words(json, "reason", ""),
        words(json, "author", "http"));
  }

  private static String words(JsonBody json, String field, String otherwise)
      throws JsonBody.InvalidException {
    String words = json.optional(field);
    if (words == null || words.isBlank()) {
      return otherwise;
    }
    if (words.length() > MAX_WORDS) {
      throw new JsonBody.InvalidException(
          "\"%s\" is %d characters long; %d are allowed"
              .formatted(field, words.length(), MAX_WORDS));
    }
    return words;
  }

  private static RolloutPolicy policy(String word) throws JsonBody.InvalidException {
    return switch (word) {
      case "latest" -> RolloutPolicy.LATEST;
      case "canary" -> RolloutPolicy.CANARY;
      case "manual" -> RolloutPolicy.MANUAL;
      default ->
          throw new JsonBody.InvalidException(
              "\"policy\" is none of latest, canary and manual; to pin a version, use pin");
    };
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
