package io.millrace.svft.model;

/**
 * Thrown for a base model that is unknown, unsupported, unreadable or broken. The message is one
 * line.
 */
public final class ModelException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public ModelException(String message) {
    super(message);
  }

  public ModelException(String message, Throwable cause) {
    super(message, cause);
  }
}
