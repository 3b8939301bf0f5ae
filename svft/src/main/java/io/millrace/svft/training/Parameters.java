package io.millrace.svft.training;

import io.millrace.svft.tensor.Floats;
import java.util.Arrays;

/**
 * Trained values with AdamW's moments of them. The arrays are not copied.
 *
 * @param values [size]
 * @param firstMoment [size]: the mean of the gradients
 * @param secondMoment [size]: the mean of their squares
 */
public record Parameters(float[] values, float[] firstMoment, float[] secondMoment) {

  /**
   * @throws IllegalArgumentException where the arrays differ in length
   */
  public Parameters {
    if (firstMoment.length != values.length || secondMoment.length != values.length) {
      throw new IllegalArgumentException(
          "%d values have %d and %d moments"
              .formatted(values.length, firstMoment.length, secondMoment.length));
    }
  }

  /** Values that no step has moved yet. */
  public static Parameters initial(float[] values) {
    return new Parameters(values, new float[values.length], new float[values.length]);
  }

  /** These, followed by zeros up to a size. */
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

  /** How many values there are. */
  public int size() {
    return values.length;
  }
}
