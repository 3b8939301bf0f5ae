package io.millrace.operators.adapt;

import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.runtime.metrics.TimerGauge;
import org.apache.flink.runtime.metrics.groups.InternalOperatorMetricGroup;

/**
 * How long a subtask has waited for a record, in milliseconds of its timer service's clock. Only
 * time in which it could have received one counts: not a training step, not back-pressure, and not
 * what passed before the task ran.
 *
 * <p>While an output is full, Flink reads no input but goes on firing timers. Nothing public tells
 * a function so; what Flink reports as back-pressured time does.
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

  /** A record was received and dealt with: the subtask waits for the next one. */
  void restart(long now) {
    started = true;
    since = now;
    backPressuredBefore = backPressure.getAccumulatedCount();
  }

  /** Takes out the time of a step that a timer began. */
  void exclude(long millis) {
    since += millis;
  }

  /**
   * How long the pause lasts. In a task that has not received anything since it started or was
   * restored, the first call begins it: when its first timer fires, records can arrive.
   */
  long millis(long now) {
    if (!started) {
      restart(now);
    }
    return now - since - (backPressure.getAccumulatedCount() - backPressuredBefore);
  }
}
