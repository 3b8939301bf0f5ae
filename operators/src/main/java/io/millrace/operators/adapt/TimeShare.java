package io.millrace.operators.adapt;

import java.util.function.LongSupplier;

/** A share of the time that something less important may take. For one thread. */
final class TimeShare {
  /** What a pause may save up: more would slow down the burst after it. */
  static final double MOST_SAVED_NANOS = 1e9;

  private final double share;
  private final LongSupplier clock;

  /** Time that may be spent, in nanoseconds; below zero where the last use took more. */
  private double saved;

  private long savedAt;

  /**
   * @param share from 0 to 1
   * @param clock in nanoseconds
   */
  TimeShare(double share, LongSupplier clock) {
    this.share = share;
    this.clock = clock;
    this.savedAt = clock.getAsLong();
  }

  /** Whether some of it is left. What is done then is to be {@link #spend spent}. */
  boolean isLeft() {
    long now = clock.getAsLong();
    saved = Math.min(MOST_SAVED_NANOS, saved + share * (now - savedAt));
    savedAt = now;
    return saved >= 0;
  }

  /** Time has been spent since {@link #isLeft}. */
  void spend() {
    saved -= clock.getAsLong() - savedAt;
  }
}
