package io.millrace.svft.training;

import io.millrace.svft.tensor.NativeFloats;
import java.util.List;

/**
 * The gradient of adapter values that lie outside of the heap: the sum of parts in PyTorch's
 * memory, in their order, or an array. For any number of threads.
 *
 * @param parts at least one, or none for an array
 */
record OutsideGradient(List<NativeFloats> parts, float[] array) {
  private static final int VALUES_AT_ONCE = 1 << 13;

  /** The gradient that a pass has computed; it is read until the pass's result is closed. */
  static OutsideGradient of(GradientPass.Result computed) {
    return new OutsideGradient(
        computed.outside().stream().map(part -> NativeFloats.of(part.toByteBuffer(true))).toList(),
        computed.gradients().values());
  }

  /**
   * Reads as many values as an array takes.
   *
   * @param term at least as long, for values in between
   */
  void read(int from, float[] into, float[] term) {
    if (parts.isEmpty()) {
      System.arraycopy(array, from, into, 0, into.length);
      return;
    }
    parts.get(0).get(from, into, into.length);
    for (NativeFloats part : parts.subList(1, parts.size())) {
      part.get(from, term, into.length);
      for (int i = 0; i < into.length; i++) {
        into[i] += term[i];
      }
    }
  }

  /** The sum of the squares of so many values, one after the other as on the heap. */
  double squares(int size) {
    double squares = 0;
    float[] term = new float[VALUES_AT_ONCE];
    for (int from = 0; from < size; from += VALUES_AT_ONCE) {
      float[] values = new float[Math.min(size - from, VALUES_AT_ONCE)];
      read(from, values, term);
      squares = squares(squares, values);
    }
    return squares;
  }

  /** A sum, and the squares of more values, one after the other. */
  static double squares(double sum, float[] values) {
    double squares = sum;
    for (float g : values) {
      squares += (double) g * g;
    }
    return squares;
  }
}
