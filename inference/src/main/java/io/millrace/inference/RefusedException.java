package io.millrace.inference;

/** A version must not serve; the message is the reason, in one line. */
final class RefusedException extends Exception {
  private static final long serialVersionUID = 1;

  RefusedException(String reason) {
    super(reason);
  }

  RefusedException(String reason, Throwable cause) {
    super(reason, cause);
  }
}
