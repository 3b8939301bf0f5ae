package io.millrace.inference.serving;

/** A version must not serve. The message is the reason, in one line. */
public final class RefusedException extends Exception {
  private static final long serialVersionUID = 1;

  public RefusedException(String reason) {
    super(reason);
  }

  RefusedException(String reason, Throwable cause) {
    super(reason, cause);
  }
}
