package io.millrace.operators.evidence;

import io.millrace.schemas.PageHinkleyState;
import java.util.Optional;

/**
 * The Page-Hinkley test: sums by how much errors exceed their mean so far, never below zero, and
 * reports a change when the sum reaches a threshold (Page, Continuous Inspection Schemes, 1954;
 * with the forgetting factor that stream learners use). It detects a rise only, and starts again
 * after it.
 *
 * <p>The test does not know where the rise began. As rates before and after the change it gives the
 * mean so far and the mean of the newest examples.
 */
final class PageHinkley implements DriftDetector {
  static final String NAME = "page-hinkley";

  /** Excess over the mean that does not count. */
  static final double DELTA = 0.005;

  /** The sum at which a change is reported. */
  static final double THRESHOLD = 50;

  /** Forgetting factor: share of the sum that remains from one example to the next. */
  static final double ALPHA = 0.9999;

  /** Fewest examples before a change is reported. */
  static final int FEWEST = 30;

  /** Number of examples that the mean of the newest ones is over, approximately. */
  static final int NEWEST = 100;

  private final PageHinkleyState state;

  /**
   * @param state what {@link #state} gave, or null for a new domain
   */
  PageHinkley(PageHinkleyState state) {
    this.state =
        state == null
            ? new PageHinkleyState(0L, 0L, 0.0, 0.0)
            : PageHinkleyState.newBuilder(state).build();
  }

  /** The detector's whole state. */
  PageHinkleyState state() {
    return PageHinkleyState.newBuilder(state).build();
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public Optional<Change> add(boolean error) {
    return add(error ? 1L : 0L);
  }

  /** Processes any whole number: the test is defined for all values, not for errors only. */
  Optional<Change> add(long value) {
    long n = state.getExamples() + 1;
    long errors = state.getErrors() + value;
    double sum = ALPHA * state.getSum() + value - (double) errors / n - DELTA;
    double newest = state.getNewest();
    newest += (value - newest) / Math.min(n, NEWEST);
    if (n >= FEWEST && sum >= THRESHOLD) {
      begin();
      return Optional.of(new Change((double) errors / n, newest, n, Math.min(n, NEWEST)));
    }
    state.setExamples(n);
    state.setErrors(errors);
    state.setSum(Math.max(0, sum));
    state.setNewest(newest);
    return Optional.empty();
  }

  private void begin() {
    state.setExamples(0L);
    state.setErrors(0L);
    state.setSum(0.0);
    state.setNewest(0.0);
  }
}
