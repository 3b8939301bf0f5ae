package io.millrace.operators.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.schemas.RecordError;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.testutils.MetricListener;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class DeadLetterMetricsTest {
  private final MetricListener listener = new MetricListener();
  private final DeadLetterMetrics letters =
      new DeadLetterMetrics(JobMetrics.of(listener.getMetricGroup()));

  /** The rate of a counter that appears with its first event misses that event. */
  @Test
  void allAreCountedFromZeroOn() {
    assertThat(count("deadLetters")).isZero();
  }

  @Test
  void eachReasonIsCounted() {
    letters.add(new RecordError("BlankText", "text is blank"));
    letters.add(new RecordError("BlankText", "text is blank"));
    letters.add(new RecordError("EmptyRecord", "the record has no value"));

    assertThat(count("deadLetters")).isEqualTo(3);
    assertThat(count("reason", "BlankText", "deadLetters")).isEqualTo(2);
    assertThat(count("reason", "EmptyRecord", "deadLetters")).isEqualTo(1);
  }

  @Test
  void beyondABoundReasonsShareACounter() {
    for (int i = 0; i < DeadLetterMetrics.MOST_REASONS + 5; i++) {
      letters.add(new RecordError("Reason" + i, "of a later release"));
    }

    assertThat(count("reason", "Reason0", "deadLetters")).isEqualTo(1);
    assertThat(count("reason", "others", "deadLetters")).isEqualTo(5);
  }

  private long count(String... name) {
    String[] path = new String[name.length + 1];
    path[0] = "millrace";
    System.arraycopy(name, 0, path, 1, name.length);
    return listener.getMetric(Counter.class, path).orElseThrow().getCount();
  }
}
