package io.millrace.inference.store;

/** A local store cannot be read or written. The message names it, in one line. */
public final class StoreException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public StoreException(String message, Throwable cause) {
    super(message, cause);
  }
}
