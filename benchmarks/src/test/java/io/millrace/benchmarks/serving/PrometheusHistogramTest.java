package io.millrace.benchmarks.serving;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class PrometheusHistogramTest {
  @Test
  void ofTwoScrapesTheLaterMeasurementsAreTheDifference() {
    PrometheusHistogram before = parse(10, 10, 10);
    PrometheusHistogram after = parse(10, 12, 14);

    PrometheusHistogram between = after.since(before);

    assertThat(between.count()).isEqualTo(4);
    assertThat(between.quantile(0.5)).isEqualTo(0.002);
    assertThat(between.quantile(0.25)).isEqualTo(0.0015);
    assertThat(between.quantile(1)).as("beyond the last bound").isEqualTo(0.002);
    assertThat(before.since(before).count()).isZero();
  }

  private static PrometheusHistogram parse(long upToOne, long upToTwo, long all) {
    String text =
        """
        # TYPE load_seconds histogram
        load_seconds_bucket{le="0.001"} %d
        load_seconds_bucket{le="0.002"} %d
        load_seconds_bucket{le="+Inf"} %d
        load_seconds_count %d
        """
            .formatted(upToOne, upToTwo, all, all);
    return PrometheusHistogram.parse(text, "load_seconds").orElseThrow();
  }
}
