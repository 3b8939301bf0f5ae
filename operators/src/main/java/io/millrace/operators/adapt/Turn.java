package io.millrace.operators.adapt;

import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * How much a task trains in one go before it looks at its input again, where a checkpoint may wait.
 *
 * <p>Timers of very many domains can fall due together, as after a pause of the stream, and Flink
 * fires them all in one go. Once as many tokens have been trained as make a group, the turn is
 * over, and batches that fall due in it get a later time.
 */
final class Turn {
  private final ProcessingTimeService clock;
  private final int tokens;

  private boolean begun;
  private long trained;
  private int batches;
  private long millis;

  /** The time given last, and how many batches have it. */
  private long later;

  private int given;

  /**
   * @param tokens of a turn
   */
  Turn(ProcessingTimeService clock, int tokens) {
    this.clock = clock;
    this.tokens = tokens;
  }

  /** A timer has fired. The turn lasts until the task has come to what waits for it. */
  void begin() {
    if (!begun) {
      begun = true;
      trained = 0;
      batches = 0;
      millis = 0;
      clock.registerTimer(clock.getCurrentProcessingTime(), at -> begun = false);
    }
  }

  /** Notes a group that has been trained. */
  void trained(int batches, long tokens, long millis) {
    this.batches += batches;
    this.trained += tokens;
    this.millis += millis;
  }

  boolean isOver() {
    return begun && trained >= tokens;
  }

  /** When a batch may have its turn, if later turns train as many and take as long as this. */
  long later() {
    long next = clock.getCurrentProcessingTime() + 1;
    if (later < next) {
      later = next;
      given = 0;
    } else if (given >= batches) {
      later += Math.max(1, millis);
      given = 0;
    }
    given++;
    return later;
  }
}
