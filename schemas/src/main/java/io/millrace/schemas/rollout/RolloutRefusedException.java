package io.millrace.schemas.rollout;

/** What was asked of a rollout cannot be; the message says why and what can, in one line. */
public final class RolloutRefusedException extends Exception {
  private static final long serialVersionUID = 1;

  public RolloutRefusedException(String message) {
    super(message);
  }
}
