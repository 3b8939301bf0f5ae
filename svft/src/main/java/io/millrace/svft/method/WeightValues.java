package io.millrace.svft.method;

import java.util.List;
import java.util.Optional;

/**
 * One adapter's values of one weight.
 *
 * @param positions of M's values; empty for a method without M, and while a gradient pattern has
 *     not yet chosen them
 * @param values in the order of {@link AdapterMethod#tensors}; none while a gradient pattern has
 *     not yet chosen positions
 */
public record WeightValues(Optional<Positions> positions, float[] values) {

  /**
   * The values of several adapters, one adapter's after the other's.
   *
   * @param from the first value of each adapter
   * @param to the value after the last
   */
  static float[] stacked(List<WeightValues> adapters, int from, int to) {
    int size = to - from;
    float[] all = new float[adapters.size() * size];
    for (int i = 0; i < adapters.size(); i++) {
      System.arraycopy(adapters.get(i).values, from, all, i * size, size);
    }
    return all;
  }
}
