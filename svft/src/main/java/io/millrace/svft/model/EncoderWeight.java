package io.millrace.svft.model;

/**
 * A linear weight W [out, in] of an encoder.
 *
 * @param name name of its module in a Hugging Face checkpoint, such as {@code
 *     encoder.layer.0.attention.self.query}
 * @param role what it does in its layer
 * @param layer counted from 0
 * @param out rows of W
 * @param in columns of W
 */
public record EncoderWeight(String name, WeightRole role, int layer, int out, int in) {
  /** n = min(out, in): the number of singular values. */
  public int rank() {
    return Math.min(out, in);
  }
}
