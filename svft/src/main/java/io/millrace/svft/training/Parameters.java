package io.millrace.svft.training;

import io.millrace.svft.tensor.Floats;
import java.util.Arrays;

/**
 * Trained values and AdamW's moments of their gradients. The arrays are not copied.
 *
 * @param values [size]
 * @param firstMoment [size]: exponential moving average of the gradients
 * @param secondMoment [size]: exponential moving average of the squared gradients
 */
public record Parameters(float[] values, float[] firstMoment, float[] secondMoment) {

  /**
   * @throws IllegalArgumentException if the arrays differ in length
   */
  public Parameters {
    if (firstMoment.length != values.length || secondMoment.length != values.length) {
      throw new IllegalArgumentException(
          "%d values have %d and %d moments"
              .formatted(values.length, firstMoment.length, secondMoment.length));
    }
  }

  /** Values before their first update: the moments are zero. */
  public static Parameters initial(float[] values) {
    return new Parameters(values, new float[values.length], new float[values.length]);
  }

  /** A copy, extended by zeros to a size. */
  Parameters grownTo(int size) {
    return new Parameters(
        Arrays.copyOf(values, size),
        Arrays.copyOf(firstMoment, size),
        Arrays.copyOf(secondMoment, size));
  }

  /** A copy to update in place. */
  Parameters copy() {
    return grownTo(values.length);
  }

  boolean allFinite() {
    return Floats.allFinite(values)
        && Floats.allFinite(firstMoment)
        && Floats.allFinite(secondMoment);
  }

  /** The number of values. */
  public int size() {
    return values.length;
  }
}
