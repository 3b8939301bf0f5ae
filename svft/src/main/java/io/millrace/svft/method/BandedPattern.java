package io.millrace.svft.method;

/**
 * A band around M's diagonal, the positions (i, j) with |i − j| ≤ d. M couples each singular
 * direction with those whose singular values are within d ranks of its own (Lingam et al., 2024,
 * arXiv 2405.19597, section 3).
 *
 * @param d number of diagonals on each side of the main diagonal
 */
public record BandedPattern(int d) implements Pattern {
  /**
   * The largest d that the engine computes as {@link MatrixForm#BANDS}. Wider bands are no faster
   * than {@link MatrixForm#PLACES}.
   */
  private static final int WIDEST_BANDS = 8;

  /**
   * @throws IllegalArgumentException if d is negative
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

  /** The positions (i, j) of an n × n matrix with |i − j| ≤ d. */
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
