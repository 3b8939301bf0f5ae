package io.millrace.svft.method;

/**
 * The diagonal of M: each singular value is trained independently. The positions are those of
 * banded(0).
 */
public record PlainPattern() implements Pattern {
  @Override
  public String id() {
    return "plain";
  }

  @Override
  public int d() {
    return 0;
  }

  @Override
  public boolean closedForm() {
    return true;
  }

  @Override
  public MatrixForm form() {
    return MatrixForm.DIAGONAL;
  }

  @Override
  public Positions positions(Site site) {
    return positions(site.n());
  }

  /** The n positions (i, i). */
  public Positions positions(int n) {
    return new BandedPattern(0).positions(n);
  }
}
