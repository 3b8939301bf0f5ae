package io.millrace.inference.dashboard;

/**
 * How the adapted and the frozen model did on the same examples.
 *
 * @param examples that both were asked before either trained on them
 * @param adapted how many of them the adapted model predicted
 * @param frozen how many the frozen one predicted
 * @param both how many both predicted
 */
record Comparison(long examples, long adapted, long frozen, long both) {
  static final Comparison NONE = new Comparison(0, 0, 0, 0);

  /** Of the normal distribution, for an interval of 95 %. */
  private static final double QUANTILE = 1.959964;

  Comparison plus(Comparison other) {
    return new Comparison(
        examples + other.examples,
        adapted + other.adapted,
        frozen + other.frozen,
        both + other.both);
  }

  /** Examples that the adapted model alone predicted. */
  long wins() {
    return adapted - both;
  }

  /** Examples that the frozen model alone predicted. */
  long losses() {
    return frozen - both;
  }

  /** Adapted minus frozen, as a share of the examples. */
  double difference() {
    return examples == 0 ? 0 : (double) (adapted - frozen) / examples;
  }

  /**
   * Half the width of a 95 % interval around the difference of paired shares. Half an example is
   * added to each of the four outcomes, so that it is wide where there are few (Agresti and Min).
   */
  double margin() {
    double count = examples + 2;
    double decisive = wins() + losses() + 1;
    double difference = (wins() - losses()) / count;
    return QUANTILE * Math.sqrt((decisive / count - difference * difference) / count);
  }
}
