package io.millrace.schemas.rollout;

/** A decision cannot be made; the message says why, and what can be done, in one line. */
public final class RolloutRefusedException extends Exception {
  private static final long serialVersionUID = 1;

  RolloutRefusedException(String message) {
    super(message);
  }
}
