package io.millrace.pipeline.input;

import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.RecordError;

/** The result of parsing a line of a file. */
sealed interface ParsedLine {
  /** An example that can be trained on. */
  record Accepted(LabeledExample example) implements ParsedLine {}

  /** No example, and the reason. */
  record Rejected(RecordError error) implements ParsedLine {}
}
