package io.millrace.operators.adapt;

import io.millrace.schemas.DomainActivity;
import io.millrace.schemas.ReceivedExample;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.streaming.api.TimerService;

/**
 * Says when a domain has had no example for so long that it may be dropped from state.
 *
 * <p>The time is Kafka's: a domain is over when its next example, or any later record of its last
 * example's partition, has a timestamp more than the retention after that example. A timer, in
 * processing time, only looks whether that has come; so a clock decides when state is freed, and
 * never whether the domain's next example finds it. Kafka's timestamps do not decrease within a
 * partition: where the timer has dropped a domain, its next example would have found it over, too.
 *
 * <p>All methods apply to the domain that is Flink's current key. For the task's thread.
 */
final class DomainRetention {
  private final long millis;
  private final ValueState<DomainActivity> activity;
  private final Map<Integer, Long> partitionTimes = new HashMap<>();

  /**
   * @param retention above zero
   */
  DomainRetention(RuntimeContext context, Duration retention) {
    millis = retention.toMillis();
    activity =
        context.getState(
            new ValueStateDescriptor<>("activity", new AvroTypeInfo<>(DomainActivity.class)));
  }

  /**
   * Notes an example.
   *
   * @return whether the domain was over before it
   */
  boolean isOverBefore(ReceivedExample received, TimerService timers) throws IOException {
    partitionTimes.merge(received.getPartition(), received.getTimestamp(), Math::max);
    DomainActivity last = activity.value();
    DomainActivity now =
        new DomainActivity(
            received.getPartition(),
            received.getTimestamp(),
            last == null ? null : last.getTimer());
    if (now.getTimer() == null || now.getTimer() < timers.currentProcessingTime()) {
      setTimer(now, timers);
    }
    activity.update(now);
    return last != null && received.getTimestamp() > last.getTimestamp() + millis;
  }

  /**
   * A timer has fired; one that is not of this class has no effect.
   *
   * @return whether the domain is over
   */
  boolean isOver(long timestamp, TimerService timers) throws IOException {
    DomainActivity last = activity.value();
    if (last == null || last.getTimer() == null || last.getTimer() != timestamp) {
      return false;
    }
    boolean over =
        partitionTimes.getOrDefault(last.getPartition(), Long.MIN_VALUE)
            > last.getTimestamp() + millis;
    setTimer(last, timers);
    activity.update(last);
    return over;
  }

  /** Kafka's time of the last example. */
  long lastExample() throws IOException {
    return activity.value().getTimestamp();
  }

  /** The domain needs no look any more, until its next example. */
  void end(TimerService timers) throws IOException {
    DomainActivity last = activity.value();
    if (last != null && last.getTimer() != null) {
      timers.deleteProcessingTimeTimer(last.getTimer());
    }
    activity.clear();
  }

  private void setTimer(DomainActivity of, TimerService timers) {
    long at = timers.currentProcessingTime() + millis;
    of.setTimer(at);
    timers.registerProcessingTimeTimer(at);
  }
}
