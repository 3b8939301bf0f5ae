package io.millrace.operators.evidence;

import io.millrace.schemas.AdwinState;
import io.millrace.schemas.ErrorBucket;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * ADWIN: a window over the newest examples that grows while their rate of errors is steady, and is
 * cut where an older part of it and the newer rest differ by more than chance explains (Bifet and
 * Gavaldà, Learning from Time-Changing Data with Adaptive Windowing, 2007).
 *
 * <p>The window is an exponential histogram (their section 4): buckets of 1, 2, 4, ... examples, at
 * most {@value #BUCKETS_PER_SIZE} of a size, so its memory grows with the logarithm of its length.
 * For values 0 and 1 the sum determines the variance, so a bucket needs whole numbers only.
 *
 * <p>A cut drops everything before the place where the difference is most significant, so that one
 * change is reported once.
 */
final class Adwin implements DriftDetector {
  static final String NAME = "adwin";

  /** Confidence parameter of a cut, with its usual default. */
  static final double DELTA = 0.002;

  /** Examples from one search for a cut to the next. */
  static final int CHECK_EVERY = 32;

  /** Fewest examples in either part of a cut window. */
  static final int SHORTEST_PART = 5;

  static final int BUCKETS_PER_SIZE = 5;

  private final double delta;
  private final List<ErrorBucket> buckets;
  private long examples;

  /**
   * @param state what {@link #state} gave, or null for an empty window
   */
  Adwin(double delta, AdwinState state) {
    this.delta = delta;
    this.examples = state == null ? 0 : state.getExamples();
    this.buckets = new ArrayList<>(state == null ? List.of() : state.getBuckets());
  }

  /** The detector's whole state. */
  AdwinState state() {
    return new AdwinState(examples, List.copyOf(buckets));
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public Optional<Change> add(boolean error) {
    examples++;
    buckets.add(new ErrorBucket(1L, error ? 1L : 0L));
    compress();
    if (examples % CHECK_EVERY != 0) {
      return Optional.empty();
    }
    Optional<Change> first = cut();
    Optional<Change> last = first;
    while (last.isPresent()) {
      Optional<Change> more = cut();
      if (more.isEmpty()) {
        break;
      }
      last = more;
    }
    return last;
  }

  /** Merges the two oldest buckets of each size that has too many; the newest buckets are last. */
  private void compress() {
    int end = buckets.size();
    while (end > 0) {
      long size = buckets.get(end - 1).getExamples();
      int start = end;
      while (start > 0 && buckets.get(start - 1).getExamples() == size) {
        start--;
      }
      if (end - start <= BUCKETS_PER_SIZE) {
        return;
      }
      ErrorBucket older = buckets.get(start);
      ErrorBucket newer = buckets.remove(start + 1);
      buckets.set(start, new ErrorBucket(2 * size, older.getErrors() + newer.getErrors()));
      end = start + 1;
    }
  }

  /** Cuts the window once, at the most significant place, if any place is significant. */
  private Optional<Change> cut() {
    long n = 0;
    long errors = 0;
    for (ErrorBucket bucket : buckets) {
      n += bucket.getExamples();
      errors += bucket.getErrors();
    }
    if (n < 2 * SHORTEST_PART) {
      return Optional.empty();
    }
    double rate = (double) errors / n;
    double variance = rate * (1 - rate);
    double confidence = Math.log(2 * Math.log(n) / delta);
    Change change = null;
    int cutAt = 0;
    double clearest = 0;
    long n0 = 0;
    long errors0 = 0;
    for (int i = 0; i < buckets.size() - 1; i++) {
      n0 += buckets.get(i).getExamples();
      errors0 += buckets.get(i).getErrors();
      long n1 = n - n0;
      if (n0 < SHORTEST_PART || n1 < SHORTEST_PART) {
        continue;
      }
      double before = (double) errors0 / n0;
      double after = (double) (errors - errors0) / n1;
      // Equation 3.1 of the paper, with 1/m the sum of the two parts' reciprocals.
      double inverse = 1.0 / n0 + 1.0 / n1;
      double chance =
          Math.sqrt(2 * inverse * variance * confidence) + 2.0 / 3 * inverse * confidence;
      double excess = Math.abs(before - after) / chance;
      if (excess > 1 && excess > clearest) {
        clearest = excess;
        cutAt = i + 1;
        change = new Change(before, after, n0, n1);
      }
    }
    buckets.subList(0, cutAt).clear();
    return Optional.ofNullable(change);
  }
}
