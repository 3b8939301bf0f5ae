package io.millrace.operators.evidence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("unit")
class MixtureEvidenceTest {
  @Test
  void noPairsAreNoEvidence() {
    assertThat(MixtureEvidence.log(0, 0, 0.5)).isCloseTo(0, within(1e-9));
    assertThat(MixtureEvidence.log(0, 0, 0.3)).isCloseTo(0, within(1e-9));
  }

  @ParameterizedTest
  @CsvSource({
    "1, 0",
    "0, 1",
    "3, 2",
    "0, 40",
    "40, 0",
    "7, 33",
    "500, 500",
    "520, 480",
    "0, 1000",
    "1000, 0",
    "900, 2100",
    "2100, 900"
  })
  void itIsTheIntegralInExactArithmetic(int wins, int losses) {
    assertThat(MixtureEvidence.log(wins, losses, 0.5))
        .isCloseTo(exactly(wins, losses), within(1e-9));
  }

  /** At the bound itself: else it would not keep its error rate, or would waste some of it. */
  @Test
  void aPairIsAFairBetAtTheBound() {
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < 2_000; i++) {
      int scale = 1 << random.nextInt(1, 17);
      long wins = random.nextInt(scale);
      long losses = random.nextInt(scale);
      double bound = random.nextDouble(0.05, 0.95);
      double now = MixtureEvidence.log(wins, losses, bound);
      if (now < -3) {
        // So far from a decision that its last digits, or all of them, may be lost.
        continue;
      }
      double won = MixtureEvidence.log(wins + 1, losses, bound);
      double lost = MixtureEvidence.log(wins, losses + 1, bound);
      assertThat(bound * Math.exp(won - now) + (1 - bound) * Math.exp(lost - now))
          .as("%d wins, %d losses, bound %s", wins, losses, bound)
          .isCloseTo(1, within(1e-8));
    }
  }

  @Test
  void itStaysInOrderForHundredThousandPairs() {
    double before = Double.NEGATIVE_INFINITY;
    for (int wins = 0; wins <= 100_000; wins += 500) {
      double evidence = MixtureEvidence.log(wins, 100_000 - wins, 0.5);
      assertThat(evidence).isNotNaN().isGreaterThanOrEqualTo(before);
      before = evidence;
    }
    assertThat(before).isCloseTo(100_000 * Math.log(2) - Math.log(100_001 / 2.0), within(1e-6));
    assertThat(MixtureEvidence.log(0, 100_000, 0.5)).isNegative();
  }

  /**
   * For integers P(Beta(w+1, l+1) > 1/2) is that of at most w heads among n+1 coins, and B(w+1,
   * l+1) = 1/((n+1) C(n, w)).
   */
  private static double exactly(int wins, int losses) {
    int n = wins + losses;
    BigInteger heads = BigInteger.ZERO;
    BigInteger ways = BigInteger.ONE;
    for (int k = 0; k <= wins; k++) {
      heads = heads.add(ways);
      ways = ways.multiply(BigInteger.valueOf(n + 1 - k)).divide(BigInteger.valueOf(k + 1));
    }
    BigInteger choose = BigInteger.ONE;
    for (int k = 0; k < wins; k++) {
      choose = choose.multiply(BigInteger.valueOf(n - k)).divide(BigInteger.valueOf(k + 1));
    }
    BigDecimal ratio =
        new BigDecimal(heads)
            .divide(
                new BigDecimal(choose.multiply(BigInteger.valueOf(n + 1))), MathContext.DECIMAL64);
    int digits = ratio.precision() - ratio.scale();
    return Math.log(ratio.scaleByPowerOfTen(-digits).doubleValue()) + digits * Math.log(10);
  }
}
