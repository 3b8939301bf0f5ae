package io.millrace.pipeline.replay;

/** A record that was trained on cannot be read any more. */
final class UnreadableExampleException extends RuntimeException {
  private static final long serialVersionUID = 1;

  UnreadableExampleException(String message) {
    super(message);
  }
}
