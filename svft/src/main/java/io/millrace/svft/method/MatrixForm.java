package io.millrace.svft.method;

/** The representation of S = diag(Σ) + M in the engine, once M's positions are known. */
public enum MatrixForm {
  /** M is diagonal: one element-wise product with a vector. */
  DIAGONAL,
  /** M lies in a few diagonals: one element-wise product with a vector for each. */
  BANDS,
  /** M's values have any positions: S is a dense matrix. */
  PLACES
}
