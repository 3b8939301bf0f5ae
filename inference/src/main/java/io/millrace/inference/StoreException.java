package io.millrace.inference;

/** The local store could not be read or written; one line that names it. */
final class StoreException extends RuntimeException {
  private static final long serialVersionUID = 1;

  StoreException(String message, Throwable cause) {
    super(message, cause);
  }
}
