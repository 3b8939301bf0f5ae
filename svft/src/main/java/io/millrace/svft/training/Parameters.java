package io.millrace.svft.training;

import io.millrace.svft.tensor.Floats;
import io.millrace.svft.tensor.NativeFloats;
import java.util.Arrays;
import java.util.Optional;

/**
 * Trained values and AdamW's moments of their gradients.
 *
 * <p>Few are arrays. More than {@value #MOST_ON_HEAP} lie outside of the Java heap, where no
 * collection moves them and no step copies them: those of full fine-tuning take 127 MB.
 */
public final class Parameters {
  /** The most values that {@link #initial} puts on the heap. */
  public static final int MOST_ON_HEAP = 1 << 20;

  /**
   * Values and moments outside of the heap, of one size.
   *
   * @param values [size]
   * @param firstMoment [size]
   * @param secondMoment [size]
   */
  public record Outside(NativeFloats values, NativeFloats firstMoment, NativeFloats secondMoment) {

    /** Zeros. */
    static Outside allocate(int size) {
      return new Outside(
          NativeFloats.allocate(size), NativeFloats.allocate(size), NativeFloats.allocate(size));
    }
  }

  private final float[] values;
  private final float[] firstMoment;
  private final float[] secondMoment;
  private final Outside outside;

  /**
   * Parameters on the heap. The arrays are not copied.
   *
   * @param values [size]
   * @param firstMoment [size]: exponential moving average of the gradients
   * @param secondMoment [size]: exponential moving average of the squared gradients
   * @throws IllegalArgumentException if the arrays differ in length
   */
  public Parameters(float[] values, float[] firstMoment, float[] secondMoment) {
    this(values, firstMoment, secondMoment, null);
    requireSame(values.length, firstMoment.length, secondMoment.length);
  }

  /**
   * Parameters outside of the heap. The memory is not copied.
   *
   * @throws IllegalArgumentException if they differ in size
   */
  public Parameters(Outside outside) {
    this(null, null, null, outside);
    requireSame(
        outside.values().size(), outside.firstMoment().size(), outside.secondMoment().size());
  }

  private Parameters(float[] values, float[] firstMoment, float[] secondMoment, Outside outside) {
    this.values = values;
    this.firstMoment = firstMoment;
    this.secondMoment = secondMoment;
    this.outside = outside;
  }

  private static void requireSame(int values, int firstMoments, int secondMoments) {
    if (firstMoments != values || secondMoments != values) {
      throw new IllegalArgumentException(
          "%d values have %d and %d moments".formatted(values, firstMoments, secondMoments));
    }
  }

  /** Values before their first update: the moments are zero. */
  public static Parameters initial(float[] values) {
    if (values.length > MOST_ON_HEAP) {
      return new Parameters(
          new Outside(
              NativeFloats.copyOf(values),
              NativeFloats.allocate(values.length),
              NativeFloats.allocate(values.length)));
    }
    return new Parameters(values, new float[values.length], new float[values.length]);
  }

  /** Where they lie outside of the heap; empty for arrays. */
  public Optional<Outside> outside() {
    return Optional.ofNullable(outside);
  }

  /** The values; a copy if they lie outside of the heap. */
  public float[] values() {
    return outside == null ? values : outside.values().toArray();
  }

  /** The first moments; a copy if they lie outside of the heap. */
  public float[] firstMoment() {
    return outside == null ? firstMoment : outside.firstMoment().toArray();
  }

  /** The second moments; a copy if they lie outside of the heap. */
  public float[] secondMoment() {
    return outside == null ? secondMoment : outside.secondMoment().toArray();
  }

  /** A copy on the heap, extended by zeros to a size. */
  Parameters grownTo(int size) {
    return new Parameters(
        Arrays.copyOf(values(), size),
        Arrays.copyOf(firstMoment(), size),
        Arrays.copyOf(secondMoment(), size));
  }

  /** A copy on the heap to update in place. */
  Parameters copy() {
    return grownTo(size());
  }

  /** Whether all values and moments on the heap are finite. */
  boolean allFinite() {
    return Floats.allFinite(values)
        && Floats.allFinite(firstMoment)
        && Floats.allFinite(secondMoment);
  }

  /** The number of values. */
  public int size() {
    return outside == null ? values.length : outside.values().size();
  }
}
