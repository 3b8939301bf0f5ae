package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.schemas.FrozenScore;
import java.util.Collections;
import java.util.List;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.testutils.MetricListener;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class DomainMetricsTest {
  private final MetricListener listener = new MetricListener();
  private final DomainMetrics metrics = new DomainMetrics(listener.getMetricGroup(), 3);

  @Test
  void aStepShowsUnderItsDomain() {
    metrics.step("reviews", List.of(true, false, true, true), 0.5, 12.5);
    metrics.step("mail", List.of(false), 3, 8);

    assertThat(examples("reviews")).isEqualTo(4);
    assertThat(gauge("reviews", "windowAccuracy")).isEqualTo(0.75);
    assertThat(gauge("reviews", "loss")).isEqualTo(0.5);
    assertThat(gauge("reviews", "stepSeconds")).isEqualTo(0.0125);
    assertThat(examples("mail")).isEqualTo(1);
    assertThat(gauge("mail", "windowAccuracy")).isEqualTo(0.0);
  }

  @Test
  void accuracyForgetsWhatIsOlderThanTheWindow() {
    metrics.step("reviews", Collections.nCopies(DomainMetrics.WINDOW, false), 1, 1);
    assertThat(gauge("reviews", "windowAccuracy")).isEqualTo(0.0);

    metrics.step("reviews", Collections.nCopies(DomainMetrics.WINDOW / 2, true), 1, 1);
    assertThat(gauge("reviews", "windowAccuracy")).isEqualTo(0.5);

    metrics.step("reviews", Collections.nCopies(DomainMetrics.WINDOW, true), 1, 1);
    assertThat(gauge("reviews", "windowAccuracy")).isEqualTo(1.0);
    assertThat(examples("reviews")).isEqualTo(1250);
  }

  @Test
  void aVersionShowsAlsoBeforeTheFirstStepOfThisProcess() {
    metrics.version("reviews", 7);

    assertThat(gauge("reviews", "version")).isEqualTo(7L);
    assertThat(gauge("reviews", "loss")).isEqualTo(Double.NaN);
  }

  @Test
  void ofManyDomainsTheFirstHaveMetricsAndAllAreCounted() {
    for (int i = 0; i < 100; i++) {
      metrics.step("domain-" + i % 50, List.of(true), 0.5, 1);
      metrics.version("domain-" + i % 50, 1);
    }

    assertThat(examples("domain-0")).isEqualTo(2);
    assertThat(gauge("domain-2", "version")).isEqualTo(1L);
    assertThat(listener.getGauge("domain", "domain-3", "loss")).isEmpty();
    assertThat(listener.getMetric(Counter.class, "examples").orElseThrow().getCount())
        .isEqualTo(100);
    assertThat(listener.getMetric(Counter.class, "versions").orElseThrow().getCount())
        .isEqualTo(100);
  }

  @Test
  void howTheFrozenModelDoesShowsBesideTheAdaptedOne() {
    FrozenScore score =
        FrozenScore.newBuilder()
            .setCorrect(List.of(true, false, false))
            .setLoss(1)
            .setComparedExamples(103)
            .setComparedAdapted(92)
            .setComparedFrozen(71)
            .setComparedBoth(70)
            .build();
    metrics.compared("reviews", List.of(true, true, false), score);

    assertThat(gauge("reviews", "comparedExamples")).isEqualTo(103L);
    assertThat(gauge("reviews", "comparedAdapted")).isEqualTo(92L);
    assertThat(gauge("reviews", "comparedFrozen")).isEqualTo(71L);
    assertThat(counter("comparedExamples")).isEqualTo(3);
    assertThat(counter("comparedAdapted")).isEqualTo(2);
    assertThat(counter("comparedFrozen")).isEqualTo(1);
  }

  private long counter(String name) {
    return listener.getMetric(Counter.class, name).orElseThrow().getCount();
  }

  @Test
  void howManyStepsWereTakenTogetherIsCounted() {
    metrics.group();
    metrics.step("a", List.of(true), 0.5, 1);
    metrics.step("b", List.of(true), 0.5, 1);

    assertThat(listener.getMetric(Counter.class, "groups").orElseThrow().getCount()).isEqualTo(1);
    assertThat(listener.getMetric(Counter.class, "steps").orElseThrow().getCount()).isEqualTo(2);
  }

  @Test
  void theLastStepHasATimeFromTheStartOn() {
    double now = System.currentTimeMillis() / 1e3;
    assertThat((double) lastStep()).isBetween(now - 60, now + 60);

    double before = (double) lastStep();
    metrics.step("a", List.of(true), 0.5, 1);
    assertThat((double) lastStep()).isGreaterThanOrEqualTo(before);
  }

  private Object lastStep() {
    return listener.getGauge("lastStepTimestampSeconds").orElseThrow().getValue();
  }

  private long examples(String domain) {
    return listener.getMetric(Counter.class, "domain", domain, "examples").orElseThrow().getCount();
  }

  private Object gauge(String domain, String name) {
    return listener.getGauge("domain", domain, name).orElseThrow().getValue();
  }
}
