package io.millrace.operators.evidence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.operators.evidence.PairedTest.Verdict;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What the test promises, by simulation: somebody looks after every example. */
class PairedTestTest {
  private static final int RUNS = 10_000;
  private static final int LIMIT = 2_000;

  private static final PairedTest DEFAULT = new PairedTest(0.05, 0.05, 0, LIMIT);

  @Test
  void equalVersionsAreJudgedApartNoMoreOftenThanTheErrorRates() {
    Runs runs = simulate(DEFAULT, 0.5, 1);

    assertThat(runs.share(Verdict.WORSE)).isLessThanOrEqualTo(atMost(0.05)).isPositive();
    assertThat(runs.share(Verdict.BETTER)).isLessThanOrEqualTo(atMost(0.05)).isPositive();
    assertThat(runs.share(Verdict.OPEN)).isZero();
  }

  @Test
  void eachErrorRateIsHeldByItself() {
    Runs runs = simulate(new PairedTest(0.01, 0.1, 0, LIMIT), 0.5, 2);

    assertThat(runs.share(Verdict.WORSE)).isLessThanOrEqualTo(atMost(0.01));
    assertThat(runs.share(Verdict.BETTER)).isBetween(0.02, atMost(0.1));
  }

  @Test
  void aWorseCandidateIsFoundOutSoonAndAlmostNeverPromoted() {
    Runs runs = simulate(DEFAULT, 0.25, 3);

    assertThat(runs.share(Verdict.WORSE)).isGreaterThan(0.95);
    assertThat(runs.share(Verdict.BETTER)).isLessThan(0.02);
    assertThat(runs.medianPairs()).isBetween(10, 60);
  }

  @Test
  void aBetterCandidateIsPromotedSoon() {
    Runs runs = simulate(DEFAULT, 0.75, 4);

    assertThat(runs.share(Verdict.BETTER)).isGreaterThan(0.95);
    assertThat(runs.share(Verdict.WORSE)).isLessThan(0.02);
    assertThat(runs.medianPairs()).isBetween(10, 60);
  }

  @Test
  void oneThatIsWorseByTheMarginIsPromotedNoMoreOftenThanTheErrorRate() {
    Runs runs = simulate(new PairedTest(0.05, 0.05, 0.1, LIMIT), 0.4, 5);

    assertThat(runs.share(Verdict.BETTER)).isLessThanOrEqualTo(atMost(0.05));
    assertThat(runs.share(Verdict.WORSE)).isGreaterThan(0.9);
  }

  @Test
  void aMarginLetsOneThatIsAsGoodPass() {
    Runs runs = simulate(new PairedTest(0.05, 0.05, 0.1, LIMIT), 0.5, 6);

    assertThat(runs.share(Verdict.BETTER)).isGreaterThan(0.9);
    assertThat(runs.share(Verdict.WORSE)).isLessThanOrEqualTo(atMost(0.05));
  }

  /** Neither answer is an error there; what counts is that there is one. */
  @Test
  void insideTheMarginThereIsAnAnswer() {
    Runs runs = simulate(new PairedTest(0.05, 0.05, 0.2, LIMIT), 0.45, 7);

    assertThat(runs.share(Verdict.INCONCLUSIVE)).isLessThan(0.05);
    assertThat(runs.share(Verdict.BETTER)).isGreaterThan(runs.share(Verdict.WORSE));
  }

  @Test
  void theQuestionStaysOpenAtTheLimitAndNotBefore() {
    assertThat(DEFAULT.verdict(3, 3, LIMIT - 1)).isEqualTo(Verdict.OPEN);
    assertThat(DEFAULT.verdict(3, 3, LIMIT)).isEqualTo(Verdict.INCONCLUSIVE);
    assertThat(DEFAULT.verdict(3, 60, LIMIT)).isEqualTo(Verdict.WORSE);
    assertThat(DEFAULT.verdict(60, 3, LIMIT)).isEqualTo(Verdict.BETTER);
  }

  @Test
  void whatCannotBeTestedIsRefused() {
    assertThatThrownBy(() -> new PairedTest(0, 0.05, 0, 1))
        .hasMessage("rollbackError must be above 0 and below 1, is 0.0");
    assertThatThrownBy(() -> new PairedTest(0.05, 1, 0, 1))
        .hasMessage("promoteError must be above 0 and below 1, is 1.0");
    assertThatThrownBy(() -> new PairedTest(0.05, 0.05, 0.5, 1))
        .hasMessage("margin must be from 0 to below 0.5, is 0.5");
    assertThatThrownBy(() -> new PairedTest(0.05, 0.05, 0, 0))
        .hasMessage("limit must be positive, is 0");
  }

  /** A rate, and three standard deviations of its share among {@link #RUNS}. */
  private static double atMost(double rate) {
    return rate + 3 * Math.sqrt(rate * (1 - rate) / RUNS);
  }

  private record Runs(Map<Verdict, Integer> verdicts, int[] pairs) {
    double share(Verdict verdict) {
      return verdicts.getOrDefault(verdict, 0) / (double) RUNS;
    }

    int medianPairs() {
      return pairs[pairs.length / 2];
    }
  }

  /** Every example is a pair: nothing gives more occasions to be wrong within the limit. */
  private static Runs simulate(PairedTest test, double win, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    Verdict[][] known = new Verdict[LIMIT + 1][LIMIT + 1];
    Map<Verdict, Integer> verdicts = new EnumMap<>(Verdict.class);
    int[] pairs = new int[RUNS];
    for (int run = 0; run < RUNS; run++) {
      int wins = 0;
      int losses = 0;
      Verdict verdict = Verdict.OPEN;
      while (verdict == Verdict.OPEN) {
        if (random.nextDouble() < win) {
          wins++;
        } else {
          losses++;
        }
        if (known[wins][losses] == null) {
          known[wins][losses] = test.verdict(wins, losses, wins + losses);
        }
        verdict = known[wins][losses];
      }
      verdicts.merge(verdict, 1, Integer::sum);
      pairs[run] = wins + losses;
    }
    Arrays.sort(pairs);
    return new Runs(verdicts, pairs);
  }
}
