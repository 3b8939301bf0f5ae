package io.millrace.inference.decide;

import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutDecisions;
import java.util.Locale;

/** A decision was not made. The message is for the client. */
public final class RolloutFailedException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Why it was not made. */
  public enum Reason {
    /** There is no version and no event of the domain. */
    UNKNOWN_DOMAIN,
    /** The rules of rollouts do not allow it. */
    REFUSED,
    /** Another decision was first. */
    STALE,
    /** This process has not caught up with the topics, or Kafka does not answer. */
    NO_ANSWER
  }

  private final Reason reason;

  RolloutFailedException(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  RolloutFailedException(Reason reason, String message, Throwable cause) {
    super(message, cause);
    this.reason = reason;
  }

  /**
   * The decision is based on a revision that is not the current one; the message names the current
   * one.
   *
   * @param asked the revision that the decision is based on
   * @param now the current state
   */
  static RolloutFailedException stale(long asked, Rollout now) {
    return new RolloutFailedException(
        Reason.STALE,
        "nothing changed: revision %d is not the current one; %s"
            .formatted(
                asked,
                now.last() == null
                    ? "that is 0, nothing was decided yet"
                    : "revision %d is %s by %s"
                        .formatted(now.revision(), what(now.last()), now.last().getAuthor())));
  }

  private static String what(RolloutEvent event) {
    String word = event.getAction().name().toLowerCase(Locale.ROOT);
    if (event.getVersion() != null) {
      return word + " " + event.getVersion().getVersion();
    }
    return event.getPolicy() == null ? word : word + " " + RolloutDecisions.word(event.getPolicy());
  }

  /** Why it was not made. */
  public Reason reason() {
    return reason;
  }
}
