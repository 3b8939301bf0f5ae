package io.millrace.inference.dashboard;

/**
 * How the adapted and the frozen model did on the same examples.
 *
 * @param examples that both were asked before either trained on them
 * @param adapted how many of them the adapted model predicted
 * @param frozen how many the frozen one predicted
 */
record Comparison(long examples, long adapted, long frozen) {
  static final Comparison NONE = new Comparison(0, 0, 0);

  /** Of the normal distribution, for an interval of 95 %. */
  private static final double QUANTILE = 1.959964;

  Comparison plus(Comparison other) {
    return new Comparison(
        examples + other.examples, adapted + other.adapted, frozen + other.frozen);
  }

  /** Adapted minus frozen, as a share of the examples. */
  double difference() {
    return examples == 0 ? 0 : (double) (adapted - frozen) / examples;
  }

  /**
   * Half the width of a 95 % interval around the difference, as if the two models erred
   * independently. On the same texts they mostly err together, so the true interval is narrower. Of
   * few examples it is wide: two successes and two failures are added to each (Agresti and Caffo).
   */
  double margin() {
    return QUANTILE * Math.sqrt(variance(adapted) + variance(frozen));
  }

  private double variance(long right) {
    double count = examples + 2;
    double share = (right + 1) / count;
    return share * (1 - share) / count;
  }
}
