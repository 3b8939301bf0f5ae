package io.millrace.svft.method;

/** How the engine computes with S = diag(Σ) + M, once M's positions are known. */
public enum MatrixForm {
  /** M is diagonal: one product by a vector. */
  DIAGONAL,
  /** M lies in few diagonals: one product by a vector for each. */
  BANDS,
  /** M's values lie anywhere: S is written out. */
  PLACES
}
