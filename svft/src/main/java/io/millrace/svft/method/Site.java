package io.millrace.svft.method;

/**
 * A weight for which a pattern chooses positions: W [out, in] with the n leading singular
 * directions that M couples in W' = U (diag(Σ) + M) Vᵀ.
 *
 * @param weight its module's name in Hugging Face checkpoints, such as {@code
 *     encoder.layer.0.attention.self.query}
 * @param out rows of W
 * @param in columns of W
 * @param n rows and columns of M: min(out, in), or fewer if the basis is truncated
 * @param u [out, n], row-major; empty if the pattern does not read it
 * @param vt [n, in], row-major; empty if the pattern does not read it
 */
public record Site(String weight, int out, int in, int n, float[] u, float[] vt) {

  /**
   * @throws IllegalArgumentException if n is not a possible rank of such a weight, or the length of
   *     a factor does not match its shape
   */
  public Site {
    if (n < 1 || n > Math.min(out, in)) {
      throw new IllegalArgumentException(
          weight + " [" + out + ", " + in + "] has no " + n + " singular directions");
    }
    requireShape(weight, "U", u.length, out, n);
    requireShape(weight, "Vt", vt.length, n, in);
  }

  /** A weight without its factors, which only top-k needs. */
  public Site(String weight, int out, int in, int n) {
    this(weight, out, in, n, new float[0], new float[0]);
  }

  private static void requireShape(String weight, String factor, int length, int rows, int cols) {
    if (length != 0 && length != (long) rows * cols) {
      throw new IllegalArgumentException(
          "%s of %s has %d values: not [%d, %d]".formatted(factor, weight, length, rows, cols));
    }
  }
}
