package io.millrace.schemas.signing;

/** A key file cannot be used; the message says which, why, and how to make one. */
public final class KeyFileException extends RuntimeException {
  private static final long serialVersionUID = 1;

  KeyFileException(String message) {
    super(message);
  }
}
