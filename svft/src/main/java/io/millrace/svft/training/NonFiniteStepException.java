package io.millrace.svft.training;

/**
 * Thrown for a batch whose loss, gradient or update is infinite or not a number. The state is
 * unchanged.
 */
public final class NonFiniteStepException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public NonFiniteStepException(String message) {
    super(message);
  }
}
