package io.millrace.inference.serving;

import java.util.concurrent.atomic.LongAdder;

/**
 * The request rate of a domain: a count of its requests with exponential decay.
 *
 * <p>Any thread counts; one thread calls {@link #pass} from time to time.
 */
final class Traffic {
  private static final double HALF_LIFE_SECONDS = 20;

  /** Recent requests from which on a merge is worth it: it costs as much time as ten of them. */
  private static final double WORTH_MERGING = 20;

  /** Recent requests below which a domain counts as quiet. */
  private static final double QUIET = 0.05;

  private final LongAdder requests = new LongAdder();
  private long seen;
  private volatile double recent;
  private volatile boolean watched;

  /**
   * Counts a request.
   *
   * @return false where nobody calls {@link #pass} at present; the caller sees to that
   */
  boolean count() {
    requests.increment();
    return watched;
  }

  /** From now on {@link #pass} is called. */
  void watch() {
    watched = true;
  }

  /**
   * Ends the calls of {@link #pass} where there were no requests for long.
   *
   * @return whether they end
   */
  boolean unwatchIfQuiet() {
    if (recent >= QUIET) {
      return false;
    }
    watched = false;
    if (requests.sum() != seen) {
      // It was asked between: its request may have seen that it is watched.
      watched = true;
      return false;
    }
    recent = 0;
    return true;
  }

  /**
   * Lets time pass: decays the count, and adds the requests since the last call.
   *
   * @param seconds since the last call
   */
  void pass(double seconds) {
    long total = requests.sum();
    recent = recent * Math.pow(0.5, seconds / HALF_LIFE_SECONDS) + (total - seen);
    seen = total;
  }

  /** Whether the domain is asked so much that merging its versions pays. */
  boolean isWorthMerging() {
    return recent >= WORTH_MERGING;
  }

  /**
   * Whether a version is asked so much that merging it pays, or will soon.
   *
   * @param share of the domain's requests that it answers, from 0 to 1
   */
  boolean isWorthMerging(double share) {
    return share * recent >= WORTH_MERGING / 2;
  }

  /** The decayed count, as of the last {@link #pass}. */
  double recent() {
    return recent;
  }
}
