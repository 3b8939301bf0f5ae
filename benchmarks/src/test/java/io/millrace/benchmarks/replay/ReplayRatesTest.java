package io.millrace.benchmarks.replay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ReplayRatesTest {
  private final ReplayRates rates = new ReplayRates();

  @Test
  void mediansStandBelowTheRounds() {
    rates.add(rate(150), rate(165), true);
    rates.add(rate(100), rate(170), true);
    rates.add(rate(160), rate(40), true);

    assertThat(rates.toString().lines())
        .containsExactly(
            "| round | training, examples/s | replay, examples/s | replay / training | versions |",
            "|---|---:|---:|---:|---:|",
            "| 1 | 150.0 | 165.0 | 1.10 | the same |",
            "| 2 | 100.0 | 170.0 | 1.70 | the same |",
            "| 3 | 160.0 | 40.0 | 0.25 | the same |",
            "| median | 150.0 | 165.0 | 1.10 | |");
    assertThat(rates.ratio()).isEqualTo(1.1, within(1e-9));
    assertThat(rates.same()).isTrue();
  }

  @Test
  void theMedianOfTwoLiesBetweenThem() {
    rates.add(rate(100), rate(90), true);
    rates.add(rate(200), rate(180), true);

    assertThat(rates.toString()).contains("| median | 150.0 | 135.0 | 0.90 | |");
  }

  @Test
  void oneRoundThatDiffersIsSaid() {
    rates.add(rate(100), rate(100), true);
    rates.add(rate(100), rate(0), false);

    assertThat(rates.same()).isFalse();
    assertThat(rates.toString()).contains("| 2 | 100.0 | 0.0 | 0.00 | NOT the same |");
  }

  private static ReportedRate rate(double perSecond) {
    return new ReportedRate(3_000, perSecond);
  }
}
