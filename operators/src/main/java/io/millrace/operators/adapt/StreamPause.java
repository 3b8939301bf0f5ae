package io.millrace.operators.adapt;

import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.runtime.metrics.TimerGauge;
import org.apache.flink.runtime.metrics.groups.InternalOperatorMetricGroup;

/**
 * Measures how long a subtask has waited for a record, in milliseconds of its timer service's
 * clock. Only time in which the subtask could have received a record counts: not the time of a
 * training step, not back-pressure, and not the time before the task ran.
 *
 * <p>While an output is full, Flink reads no input but continues to fire timers. No public
 * interface shows this to a function; Flink's metric of back-pressured time does.
 */
final class StreamPause {
  private final TimerGauge backPressure;
  private boolean started;
  private long since;
  private long backPressuredBefore;

  StreamPause(RuntimeContext context) {
    backPressure =
        ((InternalOperatorMetricGroup) context.getMetricGroup())
            .getTaskIOMetricGroup()
            .getSoftBackPressuredTimePerSecond();
  }

  /** A record has been received and processed: the subtask waits for the next one. */
  void restart(long now) {
    started = true;
    since = now;
    backPressuredBefore = backPressure.getAccumulatedCount();
  }

  /** Excludes the time of a training step that a timer started. */
  void exclude(long millis) {
    since += millis;
  }

  /**
   * How long the pause has lasted. In a task that has received nothing since it started or was
   * restored, the first call starts the measurement: once its first timer fires, the task runs and
   * records can arrive.
   */
  long millis(long now) {
    if (!started) {
      restart(now);
    }
    return now - since - (backPressure.getAccumulatedCount() - backPressuredBefore);
  }
}
