package io.millrace.operators.evidence;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.schemas.Comparison;
import io.millrace.schemas.ComparisonKind;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.VersionRef;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.testutils.MetricListener;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class EvidenceMetricsTest {
  private final MetricListener listener = new MetricListener();
  private final EvidenceMetrics metrics = new EvidenceMetrics(listener.getMetricGroup(), 3);

  @Test
  void aComparisonShowsUnderItsDomainWhileItGoesOn() {
    metrics.show("reviews", comparison(3, 1, 40));
    assertThat(gauge("reviews", "evidenceWins")).isEqualTo(3L);
    assertThat(gauge("reviews", "evidenceLosses")).isEqualTo(1L);
    assertThat(gauge("reviews", "evidenceExamples")).isEqualTo(40L);

    metrics.show("reviews", null);
    assertThat(gauge("reviews", "evidenceExamples")).isEqualTo(0L);
  }

  @Test
  void aDomainInWhichNothingIsComparedHasNone() {
    metrics.show("mail", null);

    assertThat(listener.getGauge("domain", "mail", "evidenceWins")).isEmpty();
  }

  @Test
  void ofManyDomainsTheFirstHaveMetrics() {
    for (int i = 0; i < 100; i++) {
      metrics.show("domain-" + i, comparison(1, 0, i));
    }

    assertThat(gauge("domain-2", "evidenceExamples")).isEqualTo(2L);
    assertThat(listener.getGauge("domain", "domain-3", "evidenceWins")).isEmpty();
  }

  @Test
  void decisionsAreCountedByWhatTheyDo() {
    metrics.decided(RolloutAction.ROLLBACK);
    metrics.drifted();

    assertThat(counter("action", "rollback", "decisions")).isEqualTo(1);
    assertThat(counter("action", "promote", "decisions")).isZero();
    assertThat(counter("drifts")).isEqualTo(1);
  }

  private long counter(String... name) {
    return listener.getMetric(Counter.class, name).orElseThrow().getCount();
  }

  private static Comparison comparison(long wins, long losses, long examples) {
    return new Comparison(
        ComparisonKind.CANARY,
        new VersionRef(2L, "b"),
        new VersionRef(1L, "a"),
        wins,
        losses,
        examples,
        null);
  }

  private Object gauge(String domain, String name) {
    return listener.getGauge("domain", domain, name).orElseThrow().getValue();
  }
}
