package io.millrace.pipeline.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.millrace.pipeline.report.RunReport.StepMillis;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class StepTimesTest {
  @Test
  void percentilesAreExactToOnePartInAThousand() {
    double[] millis = new Random(1).doubles(1_001, 0.2, 90_000).toArray();
    StepTimes times = new StepTimes();
    Arrays.stream(millis).forEach(times::add);
    Arrays.sort(millis);

    StepMillis percentiles = times.percentiles();

    assertThat(times.count()).isEqualTo(1_001);
    assertThat(percentiles.p50()).isCloseTo(millis[500], within(millis[500] / 1_000));
    assertThat(percentiles.p99()).isCloseTo(millis[990], within(millis[990] / 1_000));
  }

  @Test
  void ofOneStepBothAreItsTimeAndOfNoneZero() {
    StepTimes times = new StepTimes();
    assertThat(times.percentiles()).isEqualTo(new StepMillis(0, 0));

    times.add(1.25);

    assertThat(times.percentiles()).isEqualTo(new StepMillis(1.25, 1.25));
  }
}
