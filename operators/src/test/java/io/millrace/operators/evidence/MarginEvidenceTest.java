package io.millrace.operators.evidence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class MarginEvidenceTest {
  @Test
  void noExamplesAreNoEvidence() {
    assertThat(MarginEvidence.log(0, 0, 0, 0.05)).isCloseTo(0, within(1e-12));
  }

  /** At the margin itself: else it would not keep its error rate, or would waste some of it. */
  @Test
  void anExampleIsAFairBetAtTheMargin() {
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < 2_000; i++) {
      int scale = 1 << random.nextInt(1, 14);
      long wins = random.nextInt(scale);
      long losses = random.nextInt(scale);
      long ties = random.nextInt(scale);
      double margin = random.nextDouble(0.01, 0.5);
      double loss = random.nextDouble(margin, (1 + margin) / 2);
      double win = loss - margin;
      double now = MarginEvidence.log(wins, losses, ties, margin);
      double next =
          win * Math.exp(MarginEvidence.log(wins + 1, losses, ties, margin) - now)
              + loss * Math.exp(MarginEvidence.log(wins, losses + 1, ties, margin) - now)
              + (1 - win - loss)
                  * Math.exp(MarginEvidence.log(wins, losses, ties + 1, margin) - now);
      assertThat(next)
          .as("%d wins, %d losses, %d ties, margin %s", wins, losses, ties, margin)
          .isCloseTo(1, within(1e-8));
    }
  }

  @Test
  void withAlmostNoMarginItIsTheMixturesEvidence() {
    for (int wins = 0; wins <= 60; wins += 5) {
      for (int losses = 0; losses <= 60; losses += 5) {
        assertThat(MarginEvidence.log(wins, losses, 500, 1e-9))
            .isCloseTo(MixtureEvidence.log(wins, losses, 0.5), within(0.01));
      }
    }
  }

  @Test
  void itStaysFiniteForHundredThousandExamples() {
    assertThat(MarginEvidence.log(0, 100_000, 0, 0.05)).isFinite().isNegative();
    assertThat(MarginEvidence.log(100_000, 0, 0, 0.05)).isFinite().isPositive();
    assertThat(MarginEvidence.log(0, 0, 100_000, 0.05)).isFinite().isPositive();
    assertThat(MarginEvidence.log(50_000, 50_000, 0, 0.05)).isFinite().isPositive();
  }
}
