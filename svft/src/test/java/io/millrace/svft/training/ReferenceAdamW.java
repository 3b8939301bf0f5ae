package io.millrace.svft.training;

/**
 * AdamW for one value, in float64, written from algorithm 2 of its paper (Loshchilov and Hutter,
 * 2019).
 */
final class ReferenceAdamW {
  private final TrainingSettings settings;
  private double value;
  private double first;
  private double second;
  private int step;

  ReferenceAdamW(TrainingSettings settings, double value) {
    this.settings = settings;
    this.value = value;
  }

  double update(double gradient, double rate) {
    step++;
    first = settings.beta1() * first + (1 - settings.beta1()) * gradient;
    second = settings.beta2() * second + (1 - settings.beta2()) * gradient * gradient;
    double firstHat = first / (1 - Math.pow(settings.beta1(), step));
    double secondHat = second / (1 - Math.pow(settings.beta2(), step));
    value -=
        rate
            * (firstHat / (Math.sqrt(secondHat) + settings.epsilon())
                + settings.weightDecay() * value);
    return value;
  }
}
