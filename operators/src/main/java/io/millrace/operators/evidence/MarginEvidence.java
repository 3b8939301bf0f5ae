package io.millrace.operators.evidence;

/**
 * How strongly examples speak against "the candidate's accuracy is lower than the other's by the
 * margin or more", where the margin is above 0.
 *
 * <p>An example gives d = 1 where only the candidate is right, -1 where only the other is, else 0.
 * While the statement is true, d + margin is not positive in expectation, whatever came before; so
 * who bets the share lambda of what they have on it, 1 + lambda (d + margin) for 1, plays at best a
 * fair game. The evidence is what the mean over bets from 0 to the largest that cannot lose all has
 * become, and Ville's inequality bounds its error as {@link MixtureEvidence}'s (Waudby-Smith and
 * Ramdas, 2024). With margin 0 the two would be the same: lambda is then 2 theta - 1.
 *
 * <p>Examples on which both are right, or both wrong, count here: many of them are reason to think
 * that there is not much of a difference.
 */
final class MarginEvidence {
  /** A mean over any bets is as valid; with more it would come nearer to the best of them. */
  private static final int BETS = 128;

  private MarginEvidence() {}

  /**
   * The natural logarithm of the evidence.
   *
   * @param ties examples that are neither won nor lost
   * @param margin above 0 and below 1, in shares of the examples
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
