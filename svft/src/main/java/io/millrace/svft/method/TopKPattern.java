package io.millrace.svft.method;

import java.util.Arrays;

/**
 * The positions (i, j) with the largest |uᵢ · vⱼ|, as many as banded(d) has (Lingam et al., 2024,
 * arXiv 2405.19597, section 3). M couples the singular directions whose left and right vectors are
 * most similar. Left vectors have out components and right vectors have in components, so the
 * pattern is defined for square weights only. The sign of a singular vector has no effect.
 *
 * @param d the half-width of the band with the same number of positions
 */
public record TopKPattern(int d) implements Pattern {

  /**
   * @throws IllegalArgumentException if d is negative
   */
  public TopKPattern {
    if (d < 0) {
      throw new IllegalArgumentException("top-k: d is " + d + ", and must not be negative");
    }
  }

  @Override
  public String id() {
    return "top-k:" + d;
  }

  @Override
  public boolean squareOnly() {
    return true;
  }

  @Override
  public boolean needsBasis() {
    return true;
  }

  /**
   * Chooses the positions. Products are summed in float64, component by component from the first to
   * the last, and Java's arithmetic is strict, so every machine chooses the same positions. Among
   * equal products, the first in row-major order are taken. O(n² · out).
   *
   * @throws IllegalArgumentException if the weight is not square or a factor holds a value that is
   *     not finite
   * @throws IllegalStateException if the site was made without its factors
   */
  @Override
  public Positions positions(Site site) {
    if (site.out() != site.in()) {
      throw new IllegalArgumentException(
          "%s is [%d, %d]: top-k is defined for square weights only"
              .formatted(site.weight(), site.out(), site.in()));
    }
    if (site.u().length == 0 || site.vt().length == 0) {
      throw new IllegalStateException("top-k needs the singular vectors of " + site.weight());
    }
    int n = site.n();
    double[] products = products(site.u(), site.vt(), site.out(), n);
    for (int p = 0; p < products.length; p++) {
      // Also catches a value that is not finite in a factor: every product of its vector is then
      // not finite either.
      if (!Double.isFinite(products[p])) {
        throw new IllegalArgumentException(
            "%s: left singular vector %d times right singular vector %d is %s"
                .formatted(site.weight(), p / n, p % n, products[p]));
      }
      products[p] = Math.abs(products[p]);
    }
    return Positions.ofLargest(products, n, size(n));
  }

  /** The products uᵢ · vⱼ [n, n], row-major, of u [width, n] and vt [n, width]. */
  private static double[] products(float[] u, float[] vt, int width, int n) {
    double[] v = new double[width * n];
    for (int j = 0; j < n; j++) {
      for (int c = 0; c < width; c++) {
        v[c * n + j] = vt[j * width + c];
      }
    }
    double[] products = new double[n * n];
    double[] row = new double[n];
    for (int i = 0; i < n; i++) {
      Arrays.fill(row, 0);
      // The innermost loop is over j: its memory is contiguous and its sums are independent, so
      // the compiler may vectorise it without changing the order of any sum.
      for (int c = 0; c < width; c++) {
        double left = u[c * n + i];
        int at = c * n;
        for (int j = 0; j < n; j++) {
          row[j] += left * v[at + j];
        }
      }
      System.arraycopy(row, 0, products, i * n, n);
    }
    return products;
  }
}
