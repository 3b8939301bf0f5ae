package io.millrace.operators;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.testutils.MetricListener;
import org.junit.jupiter.api.Test;

class DomainMetricsTest {
  private final MetricListener listener = new MetricListener();
  private final DomainMetrics metrics = new DomainMetrics(listener.getMetricGroup());

  @Test
  void aStepShowsUnderItsDomain() {
    metrics.step("reviews", new boolean[] {true, false, true, true}, 0.5, 12.5);
    metrics.step("mail", new boolean[] {false}, 3, 8);

    assertThat(examples("reviews")).isEqualTo(4);
    assertThat(gauge("reviews", "windowAccuracy")).isEqualTo(0.75);
    assertThat(gauge("reviews", "loss")).isEqualTo(0.5);
    assertThat(gauge("reviews", "stepMillis")).isEqualTo(12.5);
    assertThat(examples("mail")).isEqualTo(1);
    assertThat(gauge("mail", "windowAccuracy")).isEqualTo(0.0);
  }

  @Test
  void accuracyForgetsWhatIsOlderThanTheWindow() {
    metrics.step("reviews", new boolean[DomainMetrics.WINDOW], 1, 1);
    assertThat(gauge("reviews", "windowAccuracy")).isEqualTo(0.0);

    metrics.step("reviews", allTrue(DomainMetrics.WINDOW / 2), 1, 1);
    assertThat(gauge("reviews", "windowAccuracy")).isEqualTo(0.5);

    metrics.step("reviews", allTrue(DomainMetrics.WINDOW), 1, 1);
    assertThat(gauge("reviews", "windowAccuracy")).isEqualTo(1.0);
    assertThat(examples("reviews")).isEqualTo(1250);
  }

  @Test
  void aVersionShowsAlsoBeforeTheFirstStepOfThisProcess() {
    metrics.version("reviews", 7);

    assertThat(gauge("reviews", "version")).isEqualTo(7L);
    assertThat(gauge("reviews", "loss")).isEqualTo(Double.NaN);
  }

  private static boolean[] allTrue(int size) {
    boolean[] correct = new boolean[size];
    Arrays.fill(correct, true);
    return correct;
  }

  private long examples(String domain) {
    return listener.getMetric(Counter.class, "domain", domain, "examples").orElseThrow().getCount();
  }

  private Object gauge(String domain, String name) {
    return listener.getGauge("domain", domain, name).orElseThrow().getValue();
  }
}
