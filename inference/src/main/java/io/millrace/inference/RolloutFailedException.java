package io.millrace.inference;

/** A decision that was not made, and whose matter that is; the message is for the client. */
final class RolloutFailedException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Why it was not made. */
  enum Reason {
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

  Reason reason() {
    return reason;
  }
}
