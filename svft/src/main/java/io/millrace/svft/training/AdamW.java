package io.millrace.svft.training;

/**
 * AdamW (Loshchilov and Hutter, 2019, arXiv 1711.05101, algorithm 2), implemented in Java: Java's
 * arithmetic is the same on every machine, and keyed state holds the values as Java arrays.
 */
final class AdamW {
  private final TrainingSettings settings;

  AdamW(TrainingSettings settings) {
    this.settings = settings;
  }

  /**
   * Updates the parameters in [from, to) in place.
   *
   * @param parameters values and moments
   * @param gradient [parameters' size]
   * @param from the first index
   * @param to the index after the last
   * @param step number of this update of these values, from 1
   * @param rate the learning rate
   * @param shares the share of the rate for each value [parameters' size]; empty if the rate
   *     applies to all values
   */
  void update(
      Parameters parameters,
      float[] gradient,
      int from,
      int to,
      long step,
      double rate,
      float[] shares) {
    float[] values = parameters.values();
    float[] firstMoment = parameters.firstMoment();
    float[] secondMoment = parameters.secondMoment();
    double beta1 = settings.beta1();
    double beta2 = settings.beta2();
    double correction1 = 1 - StrictMath.pow(beta1, step);
    double correction2 = StrictMath.sqrt(1 - StrictMath.pow(beta2, step));
    for (int i = from; i < to; i++) {
      double g = gradient[i];
      double m = beta1 * firstMoment[i] + (1 - beta1) * g;
      double v = beta2 * secondMoment[i] + (1 - beta2) * g * g;
      firstMoment[i] = (float) m;
      secondMoment[i] = (float) v;
      double own = shares.length == 0 ? rate : rate * shares[i];
      double decayed = values[i] * (1 - own * settings.weightDecay());
      double denominator = StrictMath.sqrt(v) / correction2 + settings.epsilon();
      values[i] = (float) (decayed - own * (m / correction1) / denominator);
    }
  }
}
