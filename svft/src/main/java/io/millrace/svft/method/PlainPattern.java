package io.millrace.svft.method;

/** M's diagonal: each singular value is trained on its own. The same places as banded(0). */
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

  /** The n places (i, i). */
  public Positions positions(int n) {
    return new BandedPattern(0).positions(n);
  }
}
