package io.millrace.svft.adapter;

import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.EncoderConfig;

/** The size of a version's payload, before there is a version. */
public final class PayloadSize {
  private PayloadSize() {}

  /**
   * Bytes of the tensors of a payload: of the adapter's values, their places where the pattern has
   * no closed form, and the head. The header comes on top: some hundred bytes per adapted weight,
   * and the labels' names.
   *
   * @param labels number of rows of the head
   */
  public static long tensorBytes(EncoderConfig config, AdapterMethod method, long labels) {
    long values = AdapterLayout.of(config, method).size();
    boolean places = method.sparsity().filter(pattern -> !pattern.closedForm()).isPresent();
    long head = labels * (config.hidden() + 1L);
    return Float.BYTES * (values + head) + (places ? 2L * Integer.BYTES * values : 0);
  }
}
