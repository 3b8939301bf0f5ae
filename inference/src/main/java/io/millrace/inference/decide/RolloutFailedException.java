package io.millrace.inference.decide;

/** A decision that was not made, and whose matter that is; the message is for the client. */
public final class RolloutFailedException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Why it was not made. */
  public enum Reason {
    /** Nobody knows the domain. */
    UNKNOWN_DOMAIN,
    /** It cannot be done. */
    REFUSED,
    /** Somebody else decided first. */
    STALE,
    /** This process has not read the log to its end, or the log does not answer. */
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

  public Reason reason() {
    return reason;
  }
}
