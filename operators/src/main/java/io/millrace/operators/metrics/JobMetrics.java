package io.millrace.operators.metrics;

import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/**
 * The group of an operator's own metrics, {@value #NAME}: beside Flink's, whose names say nothing
 * of where they come from. In Prometheus they are {@code
 * flink_taskmanager_job_task_operator_millrace_*}.
 */
public final class JobMetrics {
  private static final String NAME = "millrace";

  private JobMetrics() {}

  /**
   * @param operator the group of an operator
   */
  public static MetricGroup of(MetricGroup operator) {
    return operator.addGroup(NAME);
  }

  /**
   * A gauge of when something happened last, in seconds since 1970.
   *
   * @return to be told each time, on any thread; until then it counts as having happened now, so
   *     that what never happens gets old, too
   */
  public static Last last(MetricGroup group, String name) {
    Last last = new Last();
    last.now();
    group.gauge(name, (Gauge<Double>) () -> last.millis / 1e3);
    return last;
  }

  /** When something happened last. */
  public static final class Last {
    private volatile long millis;

    private Last() {}

    /** It happens. */
    public void now() {
      millis = System.currentTimeMillis();
    }
  }
}
