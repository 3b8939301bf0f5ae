package io.millrace.operators.evidence;

import java.util.Optional;

/** Tells when the rate of errors in a stream has changed. For one thread. */
public sealed interface DriftDetector permits Adwin, PageHinkley {
  /** Its name, as settings and notes give it. */
  String name();

  /**
   * Takes the next example in.
   *
   * @param error whether the answer was wrong
   * @return what has changed, where this example shows it
   */
  Optional<Change> add(boolean error);

  /**
   * A change in the rate of errors.
   *
   * @param before share of errors before it, from 0 to 1
   * @param after share of errors since
   * @param examplesBefore examples that the first is from
   * @param examplesAfter examples that the second is from
   */
  record Change(double before, double after, long examplesBefore, long examplesAfter) {
    /** Whether there are more errors than before. */
    public boolean worse() {
      return after > before;
    }
  }
}
