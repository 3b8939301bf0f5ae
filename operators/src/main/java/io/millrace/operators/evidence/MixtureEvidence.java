package io.millrace.operators.evidence;

/**
 * How strongly wins and losses speak against "a pair is won with a probability of at most {@code
 * bound}".
 *
 * <p>The evidence is the likelihood ratio between "the probability is theta" and "it is the bound",
 * averaged over all theta above the bound alike:
 *
 * <pre>
 * E(w, l) = 1/(1-bound) · ∫ from bound to 1 of theta^w (1-theta)^l d theta / (bound^w (1-bound)^l)
 * </pre>
 *
 * <p>While the statement is true, each ratio is at most a fair bet on the next pair, whatever came
 * before; so E starts at 1 and does not grow in expectation, and by Ville's inequality it ever
 * reaches 1/error with a probability of at most that error, however often somebody looks (Robbins
 * 1970; Ramdas, Grünwald, Vovk and Shafer 2023).
 */
final class MixtureEvidence {
  private static final double SMALLEST = 1e-300;
  private static final double CONVERGED = 1e-15;
  private static final int MOST_TERMS = 1_000_000;

  private MixtureEvidence() {}

  /**
   * The natural logarithm of the evidence. Finite and within 1e-9 for 100,000 pairs and more.
   *
   * @param bound above 0 and below 1
   */
  static double log(long wins, long losses, double bound) {
    double a = wins + 1.0;
    double b = losses + 1.0;
    // With B the beta function, E = B(a, b) · P(Beta(a, b) > bound) / (bound^w (1-bound)^(l+1)). In
    // the tail all that could underflow cancels against the continued fraction's factor.
    if (1 - bound < (b + 1) / (a + b + 2)) {
      return Math.log(bound) - Math.log(b) + Math.log(fraction(b, a, 1 - bound));
    }
    double scale = logBeta(a, b) - a * Math.log(bound) - b * Math.log1p(-bound);
    double below = fraction(a, b, bound) / a * Math.exp(-scale);
    return Math.log(bound) + scale + Math.log1p(-below);
  }

  /**
   * The continued fraction of the incomplete beta function, DLMF 8.17.22, by Lentz's method: I_x(a,
   * b) = x^a (1-x)^b / (a B(a, b)) times this. It takes some sqrt(max(a, b)) terms where x is below
   * (a+1)/(a+b+2).
   */
  private static double fraction(double a, double b, double x) {
    double c = 1;
    double d = 1 / nonZero(1 - (a + b) * x / (a + 1));
    double value = d;
    for (int m = 1; m <= MOST_TERMS; m++) {
      double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
      d = 1 / nonZero(1 + even * d);
      c = nonZero(1 + even / c);
      value *= d * c;
      double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
      d = 1 / nonZero(1 + odd * d);
      c = nonZero(1 + odd / c);
      value *= d * c;
      if (Math.abs(d * c - 1) < CONVERGED) {
        return value;
      }
    }
    throw new ArithmeticException(
        "no incomplete beta function of a=%s, b=%s, x=%s after %d terms"
            .formatted(a, b, x, MOST_TERMS));
  }

  private static double nonZero(double value) {
    return Math.abs(value) < SMALLEST ? SMALLEST : value;
  }

  private static double logBeta(double a, double b) {
    return logGamma(a) + logGamma(b) - logGamma(a + b);
  }

  /**
   * Stirling's series, DLMF 5.11.1, from 10 up; below that by the recurrence. For x of 1 or more.
   */
  private static double logGamma(double x) {
    double product = 1;
    double z = x;
    while (z < 10) {
      product *= z;
      z++;
    }
    double inverse = 1 / (z * z);
    double series =
        (1.0 / 12 - inverse * (1.0 / 360 - inverse * (1.0 / 1260 - inverse * (1.0 / 1680)))) / z;
    return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - Math.log(product);
  }
}
