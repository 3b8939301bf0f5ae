package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;

/** Compares arrays element by element. */
public final class Differences {
  private Differences() {}

  /** The largest absolute difference; NaN if one of the numbers is NaN. */
  public static double largest(float[] actual, float[] expected) {
    assertThat(actual).hasSameSizeAs(expected);
    double largest = 0;
    for (int i = 0; i < actual.length; i++) {
      largest = Math.max(largest, Math.abs((double) actual[i] - expected[i]));
    }
    return largest;
  }

  /** The largest absolute difference of two arrays of rows. */
  public static double largest(float[][] actual, float[][] expected) {
    assertThat(actual.length).isEqualTo(expected.length);
    double largest = 0;
    for (int i = 0; i < actual.length; i++) {
      largest = Math.max(largest, largest(actual[i], expected[i]));
    }
    return largest;
  }
}
