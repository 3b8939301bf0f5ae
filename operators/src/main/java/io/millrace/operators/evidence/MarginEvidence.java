package io.millrace.operators.evidence;

/**
 * Evidence of a sequence of examples against the hypothesis "the candidate's accuracy is lower than
 * the other's by the margin or more", where the margin is above 0.
 *
 * <p>An example gives d = 1 where only the candidate is right, -1 where only the other is, else 0.
 * Under the hypothesis, d + margin has an expectation of at most 0, given all examples before. So a
 * bet that multiplies its capital by 1 + lambda (d + margin) with each example is at most fair. The
 * evidence is the mean capital over bets lambda from 0 to the largest one that cannot lose
 * everything, and Ville's inequality bounds its error as for {@link MixtureEvidence} (Waudby-Smith
 * and Ramdas, 2024). With margin 0 the two would be the same, with lambda = 2 theta - 1.
 *
 * <p>Examples on which both are correct, or both wrong, count here: many of them are evidence for a
 * small difference.
 */
final class MarginEvidence {
  /** Any number of bets is valid; more of them come closer to the best one. */
  private static final int BETS = 128;

  private MarginEvidence() {}

  /**
   * The natural logarithm of the evidence.
   *
   * @param ties examples on which both are correct or both wrong
   * @param margin above 0 and below 1, as a share of the examples
   */
  static double log(long wins, long losses, long ties, double margin) {
    double[] logs = new double[BETS];
    double largest = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < BETS; i++) {
      double lambda = (i + 0.5) / BETS / (1 - margin);
      logs[i] =
          wins * Math.log1p(lambda * (1 + margin))
              + losses * Math.log1p(-lambda * (1 - margin))
              + ties * Math.log1p(lambda * margin);
      largest = Math.max(largest, logs[i]);
    }
    double sum = 0;
    for (double each : logs) {
      sum += Math.exp(each - largest);
    }
    return largest + Math.log(sum / BETS);
  }
}
