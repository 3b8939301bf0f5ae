package io.millrace.benchmarks.live;

import io.millrace.benchmarks.load.SteadyLoad;
import java.time.Duration;
import java.util.NavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;

/** Asks for predictions all the time, and notes which versions answer. */
final class AnsweringVersions implements Runnable {
  private static final Duration STRETCH = Duration.ofSeconds(1);

  private final SteadyLoad load;
  private final NavigableMap<Long, Long> firstAnswerAt = new ConcurrentSkipListMap<>();
  private volatile long answers;
  private volatile long failures;

  AnsweringVersions(SteadyLoad load) {
    this.load = load;
  }

  /** Until the thread is interrupted. */
  @Override
  public void run() {
    while (!Thread.currentThread().isInterrupted()) {
      for (SteadyLoad.Answer answer : load.run(STRETCH)) {
        if (answer.status() == 200 && answer.version() > 0) {
          answers++;
          firstAnswerAt.merge(answer.version(), answer.at(), Math::min);
        } else if (!firstAnswerAt.isEmpty()) {
          // Before the first version the base model answers, without a label.
          failures++;
        }
      }
    }
  }

  /** Per version, when its first answer came, in milliseconds since the epoch. */
  NavigableMap<Long, Long> firstAnswerAt() {
    return firstAnswerAt;
  }

  /** The newest version that has answered; 0 before the first. */
  long newest() {
    return firstAnswerAt.isEmpty() ? 0 : firstAnswerAt.lastKey();
  }

  /** Predictions answered. */
  long answers() {
    return answers;
  }

  /** Requests refused or lost since the first answer. */
  long failures() {
    return failures;
  }
}
