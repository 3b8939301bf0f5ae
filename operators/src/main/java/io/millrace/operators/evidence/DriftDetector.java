package io.millrace.operators.evidence;

import java.util.Optional;

/** Detects changes in the error rate of a stream. For one thread. */
sealed interface DriftDetector permits Adwin, PageHinkley {
  /** The detector's name in settings and notes. */
  String name();

  /**
   * Processes the next example.
   *
   * @param error whether the answer was wrong
   * @return the change, where this example reveals one
   */
  Optional<Change> add(boolean error);

  /**
   * A change of the error rate.
   *
   * @param before error rate before the change, from 0 to 1
   * @param after error rate since
   * @param examplesBefore number of examples behind {@code before}
   * @param examplesAfter number of examples behind {@code after}
   */
  record Change(double before, double after, long examplesBefore, long examplesAfter) {
    /** Whether the error rate rose. */
    boolean worse() {
      return after > before;
    }
  }
}
