package io.millrace.svft.method;

import java.io.Serializable;

/**
 * Which values of the n × n matrix M are trained in W' = U (diag(Σ) + M) Vᵀ; all others stay zero.
 *
 * <p>Plain, banded, random and top-k are those of Lingam et al., 2024 (arXiv 2405.19597), section
 * 3; gradient is chosen by the stream itself. All patterns of one d train equally many values, so
 * that they can be compared.
 */
public sealed interface Pattern extends Serializable
    permits PlainPattern, BandedPattern, RandomPattern, TopKPattern, GradientPattern {

  /**
   * The canonical text: {@code plain}, {@code banded:1}, {@code random:1:42}, {@code top-k:1} or
   * {@code gradient:1}. {@link #parse} is its inverse.
   */
  String id();

  /**
   * How many diagonals beside the main one a band of the same number of values has on each side.
   */
  int d();

  /**
   * The places of M that are trained.
   *
   * @throws IllegalArgumentException where the pattern is not defined for such a weight
   * @throws IllegalStateException where the choice needs what the site does not hold: gradients, or
   *     factors left out
   */
  Positions positions(Site site);

  /**
   * How many values of M are trained: n(2d + 1) − d(d + 1), all n² from d = n − 1 on.
   *
   * @param n rows and columns of M
   * @throws IllegalArgumentException where n is not positive or n² exceeds an int
   */
  default int size(int n) {
    if (n < 1 || (long) n * n > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("M cannot be " + n + " × " + n);
    }
    long d = Math.min(d(), n - 1);
    return (int) (n * (2 * d + 1) - d * (d + 1));
  }

  /** Whether n and {@link #d} alone tell the places. Where not, an adapter records them. */
  default boolean closedForm() {
    return false;
  }

  /** Whether {@link #positions} reads U and Vᵀ. */
  default boolean needsBasis() {
    return false;
  }

  /** Whether the pattern is defined for square weights alone. */
  default boolean squareOnly() {
    return false;
  }

  /** How the engine computes with such an M. */
  default MatrixForm form() {
    return MatrixForm.PLACES;
  }

  /** Whether the places come from gradients: from {@link #choose}. */
  default boolean needsGradients() {
    return false;
  }

  /**
   * Chooses the places by gradients.
   *
   * @param scores [n, n], row-major: |∂L/∂M| summed over batches
   * @param n rows and columns of M
   * @throws IllegalArgumentException where there are not n² scores, or one is negative or not
   *     finite
   * @throws IllegalStateException where the pattern does not choose by gradients
   */
  default Positions choose(float[] scores, int n) {
    throw new IllegalStateException(id() + " is not chosen from gradients");
  }

  /**
   * The pattern of that text: any {@link #id}, and the short forms {@code random:1} (seed 0) and
   * {@code topk:1}.
   *
   * @throws IllegalArgumentException where no pattern has that form
   */
  static Pattern parse(String text) {
    String[] parts = text.split(":", -1);
    try {
      if (parts.length == 1 && parts[0].equals("plain")) {
        return new PlainPattern();
      }
      if (parts.length == 3 && parts[0].equals("random") && parts[2].matches("-?[0-9]+")) {
        return new RandomPattern(parseD(parts[1]), Long.parseLong(parts[2]));
      }
      if (parts.length == 2) {
        switch (parts[0]) {
          case "banded":
            return new BandedPattern(parseD(parts[1]));
          case "random":
            return new RandomPattern(parseD(parts[1]), 0);
          case "top-k", "topk":
            return new TopKPattern(parseD(parts[1]));
          case "gradient":
            return new GradientPattern(parseD(parts[1]));
          default:
            break;
        }
      }
    } catch (NumberFormatException e) {
      // Not a number, or beyond its type: refused like any other unknown form.
    }
    throw new IllegalArgumentException(
        "unknown pattern \""
            + text
            + "\": use plain, banded:D, random:D, random:D:SEED, top-k:D or gradient:D,"
            + " D a whole number from 0");
  }

  private static int parseD(String digits) {
    if (!digits.matches("[0-9]+")) {
      throw new NumberFormatException(digits);
    }
    return Integer.parseInt(digits);
  }
}
