package io.millrace.svft.method;

import java.io.Serializable;

/**
 * A sparsity pattern: the positions of the n × n matrix M whose values are trained in W' = U
 * (diag(Σ) + M) Vᵀ. All other values are zero.
 *
 * <p>Plain, banded, random and top-k are the patterns of Lingam et al., 2024 (arXiv 2405.19597),
 * section 3. The gradient pattern is chosen from the first batches of the stream. All patterns with
 * the same d train the same number of values, so that they can be compared.
 */
public sealed interface Pattern extends Serializable
    permits PlainPattern, BandedPattern, RandomPattern, TopKPattern, GradientPattern {

  /**
   * The canonical text: {@code plain}, {@code banded:1}, {@code random:1:42}, {@code top-k:1} or
   * {@code gradient:1}. {@link #parse} is the inverse.
   */
  String id();

  /**
   * The half-width of the band with the same number of values: its diagonals on each side of the
   * main one.
   */
  int d();

  /**
   * The positions of M's trained values.
   *
   * @throws IllegalArgumentException if the pattern is not defined for such a weight
   * @throws IllegalStateException if the choice needs gradients, or factors that the site was made
   *     without
   */
  Positions positions(Site site);

  /**
   * The number of trained values of M: n(2d + 1) − d(d + 1), or all n² for d ≥ n − 1.
   *
   * @param n rows and columns of M
   * @throws IllegalArgumentException if n is not positive or n² exceeds an int
   */
  default int size(int n) {
    if (n < 1 || (long) n * n > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("M cannot be " + n + " × " + n);
    }
    long d = Math.min(d(), n - 1);
    return (int) (n * (2 * d + 1) - d * (d + 1));
  }

  /** Whether n and {@link #d} alone determine the positions. If not, the adapter records them. */
  default boolean closedForm() {
    return false;
  }

  /** Whether {@link #positions} reads U and Vᵀ. */
  default boolean needsBasis() {
    return false;
  }

  /** Whether the pattern is defined for square weights only. */
  default boolean squareOnly() {
    return false;
  }

  /** The representation of S = diag(Σ) + M in the engine. */
  default MatrixForm form() {
    return MatrixForm.PLACES;
  }

  /** Whether gradients determine the positions: {@link #choose} returns them. */
  default boolean needsGradients() {
    return false;
  }

  /**
   * Chooses the positions by gradients.
   *
   * @param scores [n, n], row-major: |∂L/∂M| summed over batches
   * @param n rows and columns of M
   * @throws IllegalArgumentException if there are not n² scores, or one is negative or not finite
   * @throws IllegalStateException if the pattern does not choose by gradients
   */
  default Positions choose(float[] scores, int n) {
    throw new IllegalStateException(id() + " is not chosen from gradients");
  }

  /**
   * Parses a pattern: any {@link #id}, or one of the short forms {@code random:1} (seed 0) and
   * {@code topk:1}.
   *
   * @throws IllegalArgumentException if no pattern has this form
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
      // Not a number, or out of range: refused below, like any other unknown form.
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
