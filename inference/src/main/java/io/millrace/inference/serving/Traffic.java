package io.millrace.inference.serving;

import java.util.concurrent.atomic.LongAdder;

/**
 * How much a domain is asked: its requests, each counting half as much after every half-life.
 *
 * <p>Any thread counts; one looks at it now and then.
 */
public final class Traffic {
  private static final double HALF_LIFE_SECONDS = 20;

  private final LongAdder requests = new LongAdder();
  private long seen;
  private volatile double recent;

  /** A request. */
  public void count() {
    requests.increment();
  }

  /** Requests since the start. */
  long total() {
    return requests.sum();
  }

  /**
   * Takes in what came since the last call.
   *
   * @param seconds since the last call
   */
  void pass(double seconds) {
    long total = requests.sum();
    recent = recent * Math.pow(0.5, seconds / HALF_LIFE_SECONDS) + (total - seen);
    seen = total;
  }

  /** The decayed count, as of the last {@link #pass}. */
  double recent() {
    return recent;
  }
}
