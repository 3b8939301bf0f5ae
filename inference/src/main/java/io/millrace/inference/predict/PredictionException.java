package io.millrace.inference.predict;

/** A prediction was not made. The message is for the client. */
public final class PredictionException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Why there is no prediction. */
  public enum Reason {
    /** No version of the domain was ever received. */
    UNKNOWN_DOMAIN,
    /** The version that is asked for does not serve. */
    NOT_SERVED,
    /** None of the versions of the domain is loaded, or the process is still loading. */
    NOT_LOADED,
    /** The queue is full. */
    BUSY,
    /** A logit is infinite or not a number. */
    NOT_FINITE
  }

  private final Reason reason;

  PredictionException(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  /** Why it was not made. */
  public Reason reason() {
    return reason;
  }
}
