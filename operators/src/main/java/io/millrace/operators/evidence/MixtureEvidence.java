package io.millrace.operators.evidence;

import org.apache.commons.numbers.gamma.LogBeta;
import org.apache.commons.numbers.gamma.RegularizedBeta;

/**
 * Evidence of wins and losses against the hypothesis "a pair is won with a probability of at most
 * {@code bound}".
 *
 * <p>The evidence is the likelihood ratio between "the probability is theta" and "it is the bound",
 * averaged uniformly over all theta above the bound:
 *
 * <pre>
 * E(w, l) = 1/(1-bound) · ∫ from bound to 1 of theta^w (1-theta)^l d theta / (bound^w (1-bound)^l)
 * </pre>
 *
 * <p>Under the hypothesis, each ratio is at most a fair bet on the next pair, given all pairs
 * before. So E starts at 1 and does not grow in expectation, and by Ville's inequality it ever
 * reaches 1/error with a probability of at most that error, however often it is evaluated (Robbins
 * 1970; Ramdas, Grünwald, Vovk and Shafer 2023).
 */
final class MixtureEvidence {
  private MixtureEvidence() {}

  /**
   * The natural logarithm of the evidence; negative infinity where the evidence is too small for a
   * double.
   *
   * @param bound above 0 and below 1
   */
  static double log(long wins, long losses, double bound) {
    double a = wins + 1.0;
    double b = losses + 1.0;
    // The integral is B(a, b) · P(Beta(a, b) > bound), with B the beta function.
    return LogBeta.value(a, b)
        + Math.log(RegularizedBeta.complement(bound, a, b))
        - wins * Math.log(bound)
        - b * Math.log1p(-bound);
  }
}
