package io.millrace.operators.evidence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.operators.evidence.PairedTest.Verdict;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The error rates of the test, by simulation, with an evaluation after every example. */
@Tag("integration")
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
    assertThat(runs.medianExamples()).isBetween(10, 60);
  }

  @Test
  void aBetterCandidateIsPromotedSoon() {
    Runs runs = simulate(DEFAULT, 0.75, 4);

    assertThat(runs.share(Verdict.BETTER)).isGreaterThan(0.95);
    assertThat(runs.share(Verdict.WORSE)).isLessThan(0.02);
    assertThat(runs.medianExamples()).isBetween(10, 60);
  }

  @Test
  void oneThatIsWorseByTheMarginIsPromotedNoMoreOftenThanTheErrorRate() {
    Runs pairsOnly = simulate(new PairedTest(0.05, 0.05, 0.1, LIMIT), 0.45, 0.55, 5);
    Runs fewPairs = simulate(new PairedTest(0.05, 0.05, 0.03, LIMIT), 0.01, 0.04, 6);

    assertThat(pairsOnly.share(Verdict.BETTER)).isLessThanOrEqualTo(atMost(0.05)).isPositive();
    assertThat(fewPairs.share(Verdict.BETTER)).isLessThanOrEqualTo(atMost(0.05)).isPositive();
    assertThat(fewPairs.share(Verdict.WORSE)).isGreaterThan(0.9);
  }

  /** Two good versions differ rarely; without a margin that would take for ever. */
  @Test
  void aMarginLetsOneThatIsAsGoodPassSoon() {
    Runs runs = simulate(new PairedTest(0.05, 0.05, 0.05, LIMIT), 0.02, 0.02, 7);

    assertThat(runs.share(Verdict.BETTER)).isGreaterThan(0.9);
    assertThat(runs.share(Verdict.WORSE)).isLessThanOrEqualTo(atMost(0.05));
    assertThat(runs.medianExamples()).isBetween(100, 400);
  }

  /** Neither answer is an error there; what counts is that there is one. */
  @Test
  void insideTheMarginThereIsAnAnswer() {
    Runs runs = simulate(new PairedTest(0.05, 0.05, 0.1, LIMIT), 0.05, 0.09, 8);

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
    assertThatThrownBy(() -> new PairedTest(0.05, 0.05, 1, 1))
        .hasMessage("margin must be from 0 to below 1, is 1.0");
    assertThatThrownBy(() -> new PairedTest(0.05, 0.05, 0, 0))
        .hasMessage("limit must be positive, is 0");
  }

  /** A rate, and three standard deviations of its share among {@link #RUNS}. */
  private static double atMost(double rate) {
    return rate + 3 * Math.sqrt(rate * (1 - rate) / RUNS);
  }

  private record Runs(Map<Verdict, Integer> verdicts, int[] examples) {
    double share(Verdict verdict) {
      return verdicts.getOrDefault(verdict, 0) / (double) RUNS;
    }

    int medianExamples() {
      return examples[examples.length / 2];
    }
  }

  /** Every example is a pair: nothing gives more occasions to be wrong within the limit. */
  private static Runs simulate(PairedTest test, double win, long seed) {
    return simulate(test, win, 1 - win, seed);
  }

  private static Runs simulate(PairedTest test, double win, double loss, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    // What the test says of counts, as often as they come up.
    Map<Long, Verdict> known = new HashMap<>();
    Map<Verdict, Integer> verdicts = new EnumMap<>(Verdict.class);
    int[] lengths = new int[RUNS];
    for (int run = 0; run < RUNS; run++) {
      long wins = 0;
      long losses = 0;
      int examples = 0;
      Verdict verdict = Verdict.OPEN;
      while (verdict == Verdict.OPEN) {
        double drawn = random.nextDouble();
        wins += drawn < win ? 1 : 0;
        losses += drawn >= win && drawn < win + loss ? 1 : 0;
        examples++;
        long counts = (wins * (LIMIT + 1) + losses) * (LIMIT + 1) + examples;
        verdict = known.get(counts);
        if (verdict == null) {
          verdict = test.verdict(wins, losses, examples);
          known.put(counts, verdict);
        }
      }
      verdicts.merge(verdict, 1, Integer::sum);
      lengths[run] = examples;
    }
    Arrays.sort(lengths);
    return new Runs(verdicts, lengths);
  }
}
