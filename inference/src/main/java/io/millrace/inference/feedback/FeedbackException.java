package io.millrace.inference.feedback;

/** Feedback was not taken. The message is for the client. */
public final class FeedbackException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Why it is not taken. */
  public enum Reason {
    /** No such request was answered here within the window. */
    UNKNOWN,
    /** The request's text is too long for an example. */
    NO_EXAMPLE,
    /** The request has another label already. */
    OTHER_LABEL,
    /** Kafka or the registry did not take it in time: to be tried again. */
    NOT_WRITTEN
  }

  private final Reason reason;

  public FeedbackException(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  FeedbackException(Reason reason, String message, Throwable cause) {
    super(message, cause);
    this.reason = reason;
  }

  /** Why it was not taken. */
  public Reason reason() {
    return reason;
  }
}
