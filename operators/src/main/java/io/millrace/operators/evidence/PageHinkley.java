package io.millrace.operators.evidence;

import io.millrace.schemas.PageHinkleyState;
import java.util.Optional;

/**
 * The Page-Hinkley test: adds up by how much errors exceed their mean so far, never below zero, and
 * tells when the sum passes a threshold (Page, Continuous Inspection Schemes, 1954; with the
 * forgetting factor that stream learners use). It sees only a rise, and begins anew after it.
 *
 * <p>Where the rise began it does not know: what it gives as the rates before and after the change
 * are the mean so far and that of the newest examples.
 */
public final class PageHinkley implements DriftDetector {
  public static final String NAME = "page-hinkley";

  /** What an example may exceed the mean by without counting. */
  static final double DELTA = 0.005;

  /** What the sum has to reach. */
  static final double THRESHOLD = 50;

  /** What is left of the sum from one example to the next. */
  static final double ALPHA = 0.9999;

  /** Nothing is told of fewer examples. */
  static final int FEWEST = 30;

  /** Some so many examples are the newest ones. */
  static final int NEWEST = 100;

  private final PageHinkleyState state;

  /**
   * @param state what {@link #state} gave, or null for a beginning
   */
  public PageHinkley(PageHinkleyState state) {
    this.state =
        state == null
            ? new PageHinkleyState(0L, 0L, 0.0, 0.0)
            : PageHinkleyState.newBuilder(state).build();
  }

  /** All that it knows. */
  public PageHinkleyState state() {
    return PageHinkleyState.newBuilder(state).build();
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public Optional<Change> add(boolean error) {
    long n = state.getExamples() + 1;
    long errors = state.getErrors() + (error ? 1 : 0);
    double sum = ALPHA * state.getSum() + (error ? 1 : 0) - (double) errors / n - DELTA;
    double newest = state.getNewest();
    newest += ((error ? 1 : 0) - newest) / Math.min(n, NEWEST);
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
