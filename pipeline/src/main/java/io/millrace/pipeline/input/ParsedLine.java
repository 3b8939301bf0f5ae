package io.millrace.pipeline.input;

import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.RecordError;

/** What a line of a file turned out to be. */
sealed interface ParsedLine {
  /** An example that can be trained on. */
  record Accepted(LabeledExample example) implements ParsedLine {}

  /** None, and why. */
  record Rejected(RecordError error) implements ParsedLine {}
}
