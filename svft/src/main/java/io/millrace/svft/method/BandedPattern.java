package io.millrace.svft.method;

/**
 * A band around M's diagonal, |i − j| ≤ d: each singular direction also reaches those whose
 * singular values rank next to its own.
 *
 * @param d diagonals on either side of the main one
 */
public record BandedPattern(int d) implements Pattern {
  /** Wider bands than this are as fast as places anywhere in M. */
  private static final int WIDEST_BANDS = 8;

  /**
   * @throws IllegalArgumentException where d is negative
   */
  public BandedPattern {
    if (d < 0) {
      throw new IllegalArgumentException("banded: d is " + d + ", and must not be negative");
    }
  }

  @Override
  public String id() {
    return "banded:" + d;
  }

  @Override
  public boolean closedForm() {
    return true;
  }

  @Override
  public MatrixForm form() {
    return d <= WIDEST_BANDS ? MatrixForm.BANDS : MatrixForm.PLACES;
  }

  @Override
  public Positions positions(Site site) {
    return positions(site.n());
  }

  /** The places (i, j) of an n × n matrix with |i − j| ≤ d. */
  public Positions positions(int n) {
    int reach = Math.min(d, n - 1);
    int[] rows = new int[size(n)];
    int[] columns = new int[rows.length];
    int k = 0;
    for (int i = 0; i < n; i++) {
      for (int j = Math.max(0, i - reach); j <= Math.min(n - 1, i + reach); j++) {
        rows[k] = i;
        columns[k++] = j;
      }
    }
    return new Positions(rows, columns);
  }
}
