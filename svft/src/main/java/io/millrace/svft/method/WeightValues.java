package io.millrace.svft.method;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.millrace.svft.tensor.NativeFloats;
import io.millrace.svft.tensor.Torch;
import java.util.List;
import java.util.Optional;

/**
 * One adapter's values of one weight.
 *
 * @param positions of M's values; empty for a method without M, and while a gradient pattern has
 *     not yet chosen them
 * @param values in the order of {@link AdapterMethod#tensors}; none while a gradient pattern has
 *     not yet chosen positions
 * @param outside the values, if they lie outside of the heap
 */
public record WeightValues(
    Optional<Positions> positions, float[] values, Optional<NativeFloats> outside) {

  /** The values; a copy if they lie outside of the heap. */
  @Override
  public float[] values() {
    return outside.isPresent() ? outside.get().toArray() : values;
  }

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
      System.arraycopy(adapters.get(i).values(), from, all, i * size, size);
    }
    return all;
  }

  /**
   * The values of several adapters as an array, one adapter's after the other's. Those of a single
   * one outside of the heap are not copied.
   *
   * @param from the first value of each adapter
   * @param to the value after the last
   * @param manager owns the array, unless a scope of the caller does
   */
  static NDArray array(
      List<WeightValues> adapters, int from, int to, NDManager manager, long... shape) {
    Optional<NativeFloats> outside = adapters.get(0).outside();
    if (adapters.size() == 1 && outside.isPresent()) {
      return outside.get().slice(from, to).array(manager, shape);
    }
    return Torch.array(manager, stacked(adapters, from, to), shape);
  }
}
