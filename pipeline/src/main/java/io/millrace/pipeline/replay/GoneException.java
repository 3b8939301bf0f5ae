package io.millrace.pipeline.replay;

/** What a replay needs was there, and is no longer in its topic. */
public final class GoneException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public GoneException(String message) {
    super(message);
  }
}
