package io.millrace.svft.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.Torch;
import java.util.ArrayList;
import java.util.List;

/**
 * The product y = x W'ᵀ + b with one linear weight W' [out, in], as the engine computes it: a kind,
 * and the tensors that this kind reads. {@code linear.py} has the same table of kinds.
 *
 * <p>A low-rank term may be added to every kind: y += c (x Aᵀ) Bᵀ.
 *
 * <p>The rows of a slice may belong to several adapters: see {@link #ofAdapters}.
 */
public final class LinearProduct {
  /** The kinds, with their codes in {@code linear.py}. */
  enum Kind {
    /** [W, b]: y = x Wᵀ + b. */
    DENSE(0, false),
    /** [W, b], with the gradient of W. */
    DENSE_TRAINED(1, true),
    /** [Vᵀ, U, b, s]: y = ((x V) · s) Uᵀ + b, with the gradient of s. */
    DIAGONAL(2, true),
    /** [Vᵀ, U, b, bands]: S is a band matrix, with the gradient of every value in the bands. */
    BANDS(3, true),
    /**
     * [Vᵀ, U, b, s, index, m]: S = diag(s) with m added at the positions {@code index}, with the
     * gradient of m.
     */
    PLACES(4, true),
    /** [Vᵀ, U, b, s]: S = diag(s), with the gradient of all of S. */
    SCORED(5, true),
    /** [Vᵀ, U, b, s]: as {@link #DIAGONAL}, without a gradient. */
    FACTORED(6, false);

    private final long code;
    private final boolean trained;

    Kind(long code, boolean trained) {
      this.code = code;
      this.trained = trained;
    }

    boolean isDense() {
      return this == DENSE || this == DENSE_TRAINED;
    }
  }

  private static final int[] IN_ORDER = {};

  private final Kind kind;
  private final List<NDArray> tensors;
  private final List<NDArray> lowRank;
  private final long gradientSize;
  private final int[] gradientOrder;
  private final int adapters;

  private LinearProduct(
      Kind kind,
      List<NDArray> tensors,
      List<NDArray> lowRank,
      long gradientSize,
      int[] gradientOrder,
      int adapters) {
    this.kind = kind;
    this.tensors = List.copyOf(tensors);
    this.lowRank = List.copyOf(lowRank);
    this.gradientSize = gradientSize;
    this.gradientOrder = gradientOrder;
    this.adapters = adapters;
  }

  private static LinearProduct of(Kind kind, long gradientSize, NDArray... tensors) {
    return new LinearProduct(kind, List.of(tensors), List.of(), gradientSize, IN_ORDER, 1);
  }

  /**
   * A frozen weight, as one matrix.
   *
   * @param w [out, in]
   * @param b [out]
   */
  public static LinearProduct dense(NDArray w, NDArray b) {
    return of(Kind.DENSE, 0, w, b);
  }

  /**
   * A frozen weight of the base model in the form in which it was loaded, dense or as its factors.
   *
   * @param manager owns the arrays created here, unless a scope of the caller does
   */
  public static LinearProduct frozen(BaseModel.Linear linear, NDManager manager) {
    if (linear.dense() != null) {
      return dense(linear.dense(), linear.bias());
    }
    return factored(
        linear.factors().vt(),
        linear.factors().u(),
        linear.bias(),
        Torch.array(manager, linear.sigma(), linear.sigma().length));
  }

  /**
   * A weight whose values are all trained. Its gradient has the order of w.
   *
   * @param w [out, in]
   * @param b [out]
   */
  public static LinearProduct denseTrained(NDArray w, NDArray b) {
    return of(Kind.DENSE_TRAINED, w.size(), w, b);
  }

  /**
   * A frozen weight as its factors, W = U diag(s) Vᵀ.
   *
   * @param vt [n, in]
   * @param u [out, n]
   * @param b [out]
   * @param s [n]
   */
  public static LinearProduct factored(NDArray vt, NDArray u, NDArray b, NDArray s) {
    return of(Kind.FACTORED, 0, vt, u, b, s);
  }

  /**
   * W' = U diag(s) Vᵀ with s trained. Its gradient is [n].
   *
   * @param vt [n, in]
   * @param u [out, n]
   * @param b [out]
   * @param s [n]
   */
  public static LinearProduct diagonal(NDArray vt, NDArray u, NDArray b, NDArray s) {
    return of(Kind.DIAGONAL, s.size(), vt, u, b, s);
  }

  /**
   * W' = U S Vᵀ with S trained in a band around its diagonal.
   *
   * @param vt [n, in]
   * @param u [out, n]
   * @param b [out]
   * @param bands [2d + 1, n]: bands[k, i] = S[i, i + k − d]
   * @param gradientOrder for each trained value its row-major index in bands; sorts the engine's
   *     gradient
   */
  public static LinearProduct bands(
      NDArray vt, NDArray u, NDArray b, NDArray bands, int[] gradientOrder) {
    return new LinearProduct(
        Kind.BANDS, List.of(vt, u, b, bands), List.of(), bands.size(), gradientOrder, 1);
  }

  /**
   * W' = U (diag(s) + M) Vᵀ with M trained at given positions. Its gradient has the order of m.
   *
   * @param vt [n, in]
   * @param u [out, n]
   * @param b [out]
   * @param s [n]
   * @param index [size]: row-major positions in M, int64
   * @param m [size]: the values at these positions
   */
  public static LinearProduct places(
      NDArray vt, NDArray u, NDArray b, NDArray s, NDArray index, NDArray m) {
    return of(Kind.PLACES, m.size(), vt, u, b, s, index, m);
  }

  /**
   * W' = U diag(s) Vᵀ, with the gradient [n, n] of every entry of the matrix between U and Vᵀ.
   *
   * @param vt [n, in]
   * @param u [out, n]
   * @param b [out]
   * @param s [n]
   */
  public static LinearProduct scored(NDArray vt, NDArray u, NDArray b, NDArray s) {
    return of(Kind.SCORED, s.size() * s.size(), vt, u, b, s);
  }

  /**
   * This product with a trained low-rank term: W' + c B A. The gradients of A and then of B follow
   * those of the product itself.
   *
   * @param a [r, in]
   * @param b [out, r]
   * @param c [1], the scale
   * @throws IllegalStateException if the product already has a low-rank term, or its gradient needs
   *     sorting
   */
  public LinearProduct plusLowRank(NDArray a, NDArray b, NDArray c) {
    if (!lowRank.isEmpty() || gradientOrder.length > 0) {
      throw new IllegalStateException(kind + " takes no low-rank term here");
    }
    return new LinearProduct(
        kind, tensors, List.of(a, b, c), gradientSize + a.size() + b.size(), IN_ORDER, adapters);
  }

  /**
   * This product for the rows of several adapters. What an adapter has of its own (W if it is
   * trained, s if it is, bands, index, m, A, B) stands in its tensor once for each adapter, one
   * after the other along the first dimension.
   *
   * @param count the number of adapters
   */
  public LinearProduct ofAdapters(int count) {
    return new LinearProduct(
        kind,
        tensors,
        lowRank,
        kind == Kind.SCORED ? gradientSize : gradientSize / count,
        gradientOrder,
        count);
  }

  /** Whether W' is already one matrix and needs no merge. */
  public boolean isDense() {
    return kind.isDense() && lowRank.isEmpty();
  }

  /**
   * W' itself.
   *
   * @return [out, in]
   * @throws IllegalStateException if the product is not {@link #isDense}
   */
  public NDArray dense() {
    if (!isDense()) {
      throw new IllegalStateException(kind + " is not one matrix");
    }
    return tensors.get(0);
  }

  /**
   * The number of rows of Vᵀ, or of W if the weight is dense. With the width of W', it determines
   * the cost of merging a row.
   */
  public int directions() {
    return (int) tensors.get(0).getShape().get(0);
  }

  /**
   * The product of some rows of W'. Its tensors are views, which the caller owns.
   *
   * @param from the first row
   * @param to the row after the last
   */
  LinearProduct rows(int from, int to) {
    NDIndex rows = new NDIndex(from + ":" + to);
    // The tensors with one row per output: W or U, and B.
    List<NDArray> linear = new ArrayList<>(tensors);
    int at = kind.isDense() ? 0 : 1;
    linear.set(at, linear.get(at).get(rows));
    List<NDArray> low = new ArrayList<>(lowRank);
    if (!low.isEmpty()) {
      low.set(1, low.get(1).get(rows));
    }
    return new LinearProduct(kind, linear, low, gradientSize, gradientOrder, adapters);
  }

  int adapters() {
    return adapters;
  }

  long code() {
    return kind.code;
  }

  List<NDArray> tensors() {
    return tensors;
  }

  List<NDArray> lowRank() {
    return lowRank;
  }

  boolean isTrained() {
    return kind.trained || !lowRank.isEmpty();
  }

  /** The number of values in the engine's gradient of this weight. */
  int gradientSize() {
    return Math.toIntExact(gradientSize);
  }

  /** The number of trained values, which {@link #gradient} copies. */
  int trainedSize() {
    return gradientOrder.length > 0 ? gradientOrder.length : gradientSize();
  }

  /**
   * Copies this weight's gradient into the order of its trained values.
   *
   * @param flat the engine's gradients
   * @param at index of this weight's first gradient in them
   * @param sorted receives {@link #trainedSize} values
   * @param offset index of the first of them
   */
  void gradient(float[] flat, int at, float[] sorted, int offset) {
    if (gradientOrder.length == 0) {
      System.arraycopy(flat, at, sorted, offset, gradientSize());
      return;
    }
    for (int k = 0; k < gradientOrder.length; k++) {
      sorted[offset + k] = flat[at + gradientOrder[k]];
    }
  }

  /** Whether the engine's gradient already has the order of the trained values. */
  boolean isGradientInOrder() {
    return gradientOrder.length == 0;
  }
}
