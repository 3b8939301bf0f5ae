package io.millrace.schemas.rollout;

/** A decision cannot be made; the message says why, and what can be done, in one line. */
public final class RolloutRefusedException extends Exception {
  private static final long serialVersionUID = 1;

  private final boolean unknownVersion;

  RolloutRefusedException(String message, boolean unknownVersion) {
    super(message);
    this.unknownVersion = unknownVersion;
  }

  /** Whether there is no such version, or not any more; otherwise the rules forbid it. */
  public boolean isUnknownVersion() {
    return unknownVersion;
  }
}
