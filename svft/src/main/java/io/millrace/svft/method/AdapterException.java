package io.millrace.svft.method;

/**
 * Thrown for an adapter that is broken or does not belong to the base model. The message is one
 * line.
 */
public final class AdapterException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public AdapterException(String message) {
    super(message);
  }
}
