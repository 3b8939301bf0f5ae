package io.millrace.svft.method;

/**
 * The positions with the largest gradients over the first batches of the stream, as many as
 * banded(d) has. Defined for a weight of any shape. The positions are chosen once and recorded in
 * the adapter.
 *
 * @param d the half-width of the band with the same number of positions
 */
public record GradientPattern(int d) implements Pattern {

  /**
   * @throws IllegalArgumentException if d is negative
   */
  public GradientPattern {
    if (d < 0) {
      throw new IllegalArgumentException("gradient: d is " + d + ", and must not be negative");
    }
  }

  @Override
  public String id() {
    return "gradient:" + d;
  }

  @Override
  public boolean needsGradients() {
    return true;
  }

  /**
   * Not supported: a weight does not determine the positions.
   *
   * @throws IllegalStateException always: see {@link #choose}
   */
  @Override
  public Positions positions(Site site) {
    throw new IllegalStateException(
        id() + " of " + site.weight() + " is chosen from gradients, not from the weight");
  }

  /**
   * Chooses the positions with the largest scores, and among equal scores the first in row-major
   * order.
   *
   * @param scores [n, n], row-major: |∂L/∂M| summed over batches
   * @param n rows and columns of M
   * @throws IllegalArgumentException if there are not n² scores, or one is negative or not finite
   */
  @Override
  public Positions choose(float[] scores, int n) {
    int count = size(n);
    if (scores.length != n * n) {
      throw new IllegalArgumentException(scores.length + " scores for " + n + " × " + n);
    }
    double[] values = new double[scores.length];
    for (int p = 0; p < values.length; p++) {
      if (!(scores[p] >= 0 && scores[p] <= Float.MAX_VALUE)) {
        throw new IllegalArgumentException(
            "the score of (%d, %d) is %s: not a sum of absolute gradients"
                .formatted(p / n, p % n, scores[p]));
      }
      values[p] = Math.abs(scores[p]);
    }
    return Positions.ofLargest(values, n, count);
  }
}
