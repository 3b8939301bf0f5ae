package io.millrace.svft;

/**
 * A linear weight W [out, in] with thin SVD U [out, n] diag(Σ) Vᵀ [n, in].
 *
 * @param name Hugging Face module name, such as {@code encoder.layer.0.attention.self.query}
 * @param out rows of W
 * @param in columns of W
 * @param offset where this weight's values start in the flat vector of M's values
 */
public record AdaptedWeight(String name, int out, int in, int offset) {
  /** n = min(out, in): the number of singular values. */
  public int rank() {
    return Math.min(out, in);
  }
}
