package io.millrace.operators.metrics;

import io.millrace.schemas.RecordError;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;

/**
 * The metric {@code deadLetters}: examples that an operator sent to the topic dead-letters, all
 * together from the start on, and by the error's class as label {@code reason} from the first one
 * on. For the task's thread.
 */
public final class DeadLetterMetrics {
  /** The code names some fifteen; a series each must not depend on that. */
  static final int MOST_REASONS = 50;

  private static final String NAME = "deadLetters";
  private static final String REASON = "reason";
  private static final String OTHERS = "others";

  private final MetricGroup group;
  private final Counter all;
  private final Map<String, Counter> byReason = new HashMap<>();

  /**
   * @param group as {@link JobMetrics#of} gives it
   */
  public DeadLetterMetrics(MetricGroup group) {
    this.group = group;
    this.all = group.counter(NAME);
  }

  /** An example leaves as a dead letter. */
  public void add(RecordError error) {
    all.inc();
    String reason = error.getErrorClass();
    if (!byReason.containsKey(reason) && byReason.size() >= MOST_REASONS) {
      reason = OTHERS;
    }
    byReason.computeIfAbsent(reason, name -> group.addGroup(REASON, name).counter(NAME)).inc();
  }
}
