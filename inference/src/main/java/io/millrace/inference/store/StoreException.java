package io.millrace.inference.store;

/** The local store could not be read or written; one line that names it. */
public final class StoreException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public StoreException(String message, Throwable cause) {
    super(message, cause);
  }
}
