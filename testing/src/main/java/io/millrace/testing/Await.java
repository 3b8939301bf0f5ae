package io.millrace.testing;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.function.Predicate;

/**
 * Waits for what must become true. Where it does not in time, the error names it and the last value
 * seen; so does the error of a test whose own timeout interrupts the wait. A condition that throws
 * ends the wait at once: that is how a condition says that it can no longer become true.
 */
public final class Await {
  /** What a condition gets that names no other time. */
  public static final Duration DEADLINE = Duration.ofSeconds(60);

  private static final Duration PAUSE = Duration.ofMillis(10);

  private Await() {}

  /**
   * Waits until {@code condition} holds, {@link #DEADLINE} at most.
   *
   * @param what the condition in words, for the error: "version 3 serves"
   * @throws AssertionError where the time is up
   * @throws Exception what {@code condition} throws
   */
  public static void until(String what, Callable<Boolean> condition) throws Exception {
    until(what, DEADLINE, condition);
  }

  /** As {@link #until(String, Callable)}, with another deadline. */
  public static void until(String what, Duration deadline, Callable<Boolean> condition)
      throws Exception {
    value(what, deadline, condition, holds -> holds);
  }

  /**
   * Waits until {@code source} gives a value that is wanted, {@link #DEADLINE} at most.
   *
   * @param what the condition in words, for the error
   * @return the first value wanted
   * @throws AssertionError where the time is up
   * @throws Exception what {@code source} throws
   */
  public static <T> T value(String what, Callable<T> source, Predicate<? super T> wanted)
      throws Exception {
    return value(what, DEADLINE, source, wanted);
  }

  /** As {@link #value(String, Callable, Predicate)}, with another deadline. */
  public static <T> T value(
      String what, Duration deadline, Callable<T> source, Predicate<? super T> wanted)
      throws Exception {
    long end = System.nanoTime() + deadline.toNanos();
    T last = null;
    try {
      for (last = source.call(); !wanted.test(last); last = source.call()) {
        if (System.nanoTime() > end) {
          throw new AssertionError(
              "not within %d ms: %s; last seen: %s".formatted(deadline.toMillis(), what, last));
        }
        Thread.sleep(PAUSE.toMillis());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(
          "interrupted while waiting: %s; last seen: %s".formatted(what, last), e);
    }
    return last;
  }
}
