package io.millrace.inference.predict;

/** A prediction that cannot be made, and whose matter that is; the message is for the client. */
public final class PredictionException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Why there is no prediction. */
  public enum Reason {
    /** Nothing was ever received for the domain. */
    UNKNOWN_DOMAIN,
    /** The domain is known, but none of its versions is loaded; or nothing is, yet. */
    NOT_LOADED,
    /** As many predictions wait as may. */
    BUSY,
    /** The version answered with something that is no number. */
    NOT_FINITE
  }

  private final Reason reason;

  PredictionException(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  public Reason reason() {
    return reason;
  }
}
