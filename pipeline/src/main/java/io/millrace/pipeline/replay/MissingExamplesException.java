package io.millrace.pipeline.replay;

/** A replay cannot go on: the topic does not hold its examples. */
public final class MissingExamplesException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final transient MissingExamples missing;

  MissingExamplesException(MissingExamples missing) {
    super("missing: " + String.join("; ", missing.lines()));
    this.missing = missing;
  }

  /** The missing examples. */
  public MissingExamples missing() {
    return missing;
  }
}
