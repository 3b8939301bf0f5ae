package io.millrace.svft.method;

/**
 * The weight a pattern is laid on: W [out, in] with the n leading singular directions that M acts
 * between, W' = U (diag(Σ) + M) Vᵀ.
 *
 * @param weight Hugging Face module name, such as {@code encoder.layer.0.attention.self.query}
 * @param out rows of W
 * @param in columns of W
 * @param n rows and columns of M: min(out, in), or fewer where the basis is truncated
 * @param u [out, n], row-major; empty where the pattern does not read it
 * @param vt [n, in], row-major; empty where the pattern does not read it
 */
public record Site(String weight, int out, int in, int n, float[] u, float[] vt) {

  /**
   * @throws IllegalArgumentException where n is no possible rank of such a weight, or a factor has
   *     another number of values than its shape says
   */
  public Site {
    if (n < 1 || n > Math.min(out, in)) {
      throw new IllegalArgumentException(
          weight + " [" + out + ", " + in + "] has no " + n + " singular directions");
    }
    requireShape(weight, "U", u.length, out, n);
    requireShape(weight, "Vt", vt.length, n, in);
  }

  /** A weight without its factors, enough for every pattern but top-k. */
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
