package io.millrace.svft.training;

/** A batch whose loss or gradient is infinite or not a number; the state is as it was before. */
public final class NonFiniteStepException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public NonFiniteStepException(String message) {
    super(message);
  }
}
