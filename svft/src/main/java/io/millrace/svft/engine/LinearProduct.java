package io.millrace.svft.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.pytorch.jni.IValue;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.tensor.TorchScript;
import java.util.ArrayList;
import java.util.List;

/**
 * The product y = x W'ᵀ + b with one linear weight W' [out, in], as the engine computes it: a kind,
 * and the tensors that this kind reads. {@code linear.py} has the same table of kinds.
 *
 * <p>A low-rank term may be added to every kind: y += c (x Aᵀ) Bᵀ. Around a frozen kind there may
 * be another {@link Term} instead.
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

  /**
   * What an adapter method adds to a product, or puts around it, with the codes and the tensors of
   * {@code adapted.py}.
   */
  enum Term {
    /** Nothing, or a low-rank term, which {@code linear.py} computes: A, B, c. */
    LOW_RANK(0, Outputs.NONE, Outputs.ROWS, Outputs.NONE),
    SCALED(1, Outputs.COLUMNS),
    INPUT_SCALED(2, Outputs.NONE),
    BIASED(3, Outputs.COLUMNS),
    SHARED(4, Outputs.NONE, Outputs.ROWS, Outputs.NONE, Outputs.COLUMNS),
    MAGNITUDE(
        5,
        Outputs.NONE,
        Outputs.ROWS,
        Outputs.NONE,
        Outputs.COLUMNS,
        Outputs.COLUMNS,
        Outputs.ROWS),
    CORE(6, Outputs.NONE, Outputs.ROWS, Outputs.NONE),
    ROTATED(7, Outputs.NONE, Outputs.NONE, Outputs.NONE, Outputs.COLUMNS, Outputs.ROWS),
    REFLECTED(8, Outputs.NONE, Outputs.NONE);

    private final long code;
    private final List<Outputs> outputs;

    Term(long code, Outputs... outputs) {
      this.code = code;
      this.outputs = List.of(outputs);
    }
  }

  /** The dimension of a tensor that has one entry for each of the weight's outputs. */
  private enum Outputs {
    NONE,
    ROWS,
    COLUMNS
  }

  /**
   * The gradient of a method's values, from the engine's gradient of the tensors that the method
   * computed from these values.
   */
  public interface ChainRule {
    /**
     * @param gradient the engine's gradients
     * @param at index of this weight's first
     * @param values receives the gradient of the values
     * @param offset index of the first of them
     */
    void apply(float[] gradient, int at, float[] values, int offset);
  }

  private static final long TERMS = 16;
  private static final int[] IN_ORDER = {};

  private final Kind kind;
  private final List<NDArray> tensors;
  private final Term term;
  private final List<NDArray> extra;
  private final long gradientSize;
  private final int[] gradientOrder;
  private final ChainRule chainRule;
  private final int chainedSize;
  private final int adapters;

  private LinearProduct(
      Kind kind,
      List<NDArray> tensors,
      Term term,
      List<NDArray> extra,
      long gradientSize,
      int[] gradientOrder,
      ChainRule chainRule,
      int chainedSize,
      int adapters) {
    this.kind = kind;
    this.tensors = List.copyOf(tensors);
    this.term = term;
    this.extra = List.copyOf(extra);
    this.gradientSize = gradientSize;
    this.gradientOrder = gradientOrder;
    this.chainRule = chainRule;
    this.chainedSize = chainedSize;
    this.adapters = adapters;
  }

  private static LinearProduct of(Kind kind, long gradientSize, NDArray... tensors) {
    return of(kind, gradientSize, IN_ORDER, tensors);
  }

  private static LinearProduct of(
      Kind kind, long gradientSize, int[] gradientOrder, NDArray... tensors) {
    return new LinearProduct(
        kind, List.of(tensors), Term.LOW_RANK, List.of(), gradientSize, gradientOrder, null, 0, 1);
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
    return frozen(linear, linear.bias(), manager);
  }

  private static LinearProduct frozen(BaseModel.Linear linear, NDArray bias, NDManager manager) {
    return linear
        .whole()
        .map(whole -> dense(whole, bias))
        .orElseGet(
            () ->
                factored(
                    linear.factors().vt(),
                    linear.factors().u(),
                    bias,
                    Torch.array(manager, linear.sigma(), linear.sigma().length)));
  }

  /** As {@link #frozen(BaseModel.Linear, NDManager)}, without the bias. */
  private static LinearProduct unbiased(BaseModel.Linear linear, NDManager manager) {
    int out = linear.weight().out();
    return frozen(linear, Torch.array(manager, new float[out], out), manager);
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
    return of(Kind.BANDS, bands.size(), gradientOrder, vt, u, b, bands);
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
    if (!extra.isEmpty() || gradientOrder.length > 0) {
      throw new IllegalStateException(kind + " takes no low-rank term here");
    }
    return with(Term.LOW_RANK, gradientSize + a.size() + b.size(), a, b, c);
  }

  private LinearProduct with(Term other, long size, NDArray... extra) {
    return new LinearProduct(
        kind, tensors, other, List.of(extra), size, IN_ORDER, null, 0, adapters);
  }

  /** This product with the gradient of the values that its tensors were computed from. */
  private LinearProduct by(ChainRule rule, int values) {
    return new LinearProduct(
        kind, tensors, term, extra, gradientSize, IN_ORDER, rule, values, adapters);
  }

  /**
   * A frozen weight whose outputs, bias included, are scaled: y = (x Wᵀ + b) · l, with l trained.
   *
   * @param l [adapters, out]
   */
  public static LinearProduct scaled(BaseModel.Linear linear, NDArray l, NDManager manager) {
    return frozen(linear, manager).with(Term.SCALED, l.size(), l);
  }

  /**
   * A frozen weight whose inputs are scaled: y = (x · l) Wᵀ + b, with l trained.
   *
   * @param l [adapters, in]
   */
  public static LinearProduct inputScaled(BaseModel.Linear linear, NDArray l, NDManager manager) {
    return frozen(linear, manager).with(Term.INPUT_SCALED, l.size(), l);
  }

  /**
   * A frozen weight with a trained bias.
   *
   * @param b [adapters, out]
   */
  public static LinearProduct biased(BaseModel.Linear linear, NDArray b, NDManager manager) {
    return unbiased(linear, manager).with(Term.BIASED, b.size(), b);
  }

  /**
   * A frozen weight with a low-rank term whose factors all adapters share: y += l · (((x Aᵀ) · d)
   * Bᵀ), with d and then l trained.
   *
   * @param a [r, in]
   * @param b [out, r]
   * @param d [adapters, r]
   * @param l [adapters, out]
   */
  public static LinearProduct shared(
      BaseModel.Linear linear, NDArray a, NDArray b, NDArray d, NDArray l, NDManager manager) {
    return frozen(linear, manager).with(Term.SHARED, d.size() + l.size(), a, b, d, l);
  }

  /**
   * V = W + c B A with rows of trained norms: y = m · (x Vᵀ) / ‖V‖ + b, with A, B and m trained.
   * The gradient takes the norms ‖V‖ of V's rows as constant.
   *
   * @param a [adapters · r, in]
   * @param b [adapters · out, r]
   * @param c [1], the scale
   * @param m [adapters, out]
   * @param squares [1, out]: the squared norms of W's rows
   */
  public static LinearProduct magnitude(
      BaseModel.Linear linear,
      NDArray a,
      NDArray b,
      NDArray c,
      NDArray m,
      NDArray squares,
      NDManager manager) {
    LinearProduct product = unbiased(linear, manager);
    long count = m.getShape().get(0);
    try (IValue kind = IValue.from(product.code());
        IValue w = TorchScript.tensors(product.tensors);
        IValue low = TorchScript.tensors(List.of(a, b, c));
        IValue of = TorchScript.tensor(squares);
        IValue adapters = IValue.from(count)) {
      NDArray norms = linear.script().call("norms", kind, w, low, of, adapters).get(0);
      norms.attach(manager);
      long size = a.size() + b.size() + m.size();
      return product.with(Term.MAGNITUDE, size, a, b, c, m, norms, linear.bias());
    }
  }

  /**
   * This frozen product with a trained matrix between shared factors: y += ((x V) Mᵀ) Uᵀ.
   *
   * @param vt [r, in]
   * @param u [out, r]
   * @param m [adapters · r, r]
   */
  public LinearProduct plusCore(NDArray vt, NDArray u, NDArray m) {
    return with(Term.CORE, m.size(), vt, u, m);
  }

  /**
   * A frozen weight with rotated inputs: y = (x Q) Wᵀ + b, of one adapter. Q is the product of
   * factors, the last first; each is block-diagonal between a permutation of the inputs and its
   * inverse.
   *
   * @param r [factors · blocks, size, size]: the blocks of each factor
   * @param order [factors · in], int64: for each factor the place of each input among its blocks
   * @param inverse [factors · in], int64: the input at each place
   * @param rule from the gradient of r to that of the values
   * @param values the number of values
   */
  public static LinearProduct rotated(
      BaseModel.Linear linear,
      NDArray r,
      NDArray order,
      NDArray inverse,
      ChainRule rule,
      int values,
      NDManager manager) {
    return frozen(linear, manager).with(Term.ROTATED, r.size(), r, order, inverse).by(rule, values);
  }

  /**
   * As {@link #rotated}, with scaled outputs: y = ((x Q) Wᵀ) · l + b.
   *
   * @param l [1, out]
   * @param rule from the gradients of r and then l to that of the values
   */
  public static LinearProduct rotatedAndScaled(
      BaseModel.Linear linear,
      NDArray r,
      NDArray order,
      NDArray inverse,
      NDArray l,
      ChainRule rule,
      int values,
      NDManager manager) {
    return unbiased(linear, manager)
        .with(Term.ROTATED, r.size() + l.size(), r, order, inverse, l, linear.bias())
        .by(rule, values);
  }

  /**
   * A frozen weight with reflected inputs: y = (x (I + U S Uᵀ)) Wᵀ + b, of one adapter.
   *
   * @param u [in, r]
   * @param s [r, r]
   * @param rule from the gradients of u and then s to that of the values
   * @param values the number of values
   */
  public static LinearProduct reflected(
      BaseModel.Linear linear,
      NDArray u,
      NDArray s,
      ChainRule rule,
      int values,
      NDManager manager) {
    return frozen(linear, manager).with(Term.REFLECTED, u.size() + s.size(), u, s).by(rule, values);
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
        term,
        extra,
        kind == Kind.SCORED ? gradientSize : gradientSize / count,
        gradientOrder,
        chainRule,
        chainedSize,
        count);
  }

  /** Whether W' is already one matrix and needs no merge. */
  public boolean isDense() {
    return kind.isDense() && extra.isEmpty();
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
   * The bias of the product of one adapter.
   *
   * @return [out]; the base model's own unless the adapter changes it
   */
  public NDArray bias() {
    NDArray own = tensors.get(kind.isDense() ? 1 : 2);
    return switch (term) {
      case SCALED -> own.mul(extra.get(0).flatten());
      case BIASED -> extra.get(0).flatten();
      case MAGNITUDE -> extra.get(5);
      case ROTATED -> extra.size() > 3 ? extra.get(4) : own;
      default -> own;
    };
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
    // The tensors with one row per output: W or U, and those of the term.
    List<NDArray> linear = new ArrayList<>(tensors);
    int at = kind.isDense() ? 0 : 1;
    linear.set(at, linear.get(at).get(rows));
    NDIndex columns = new NDIndex(":, " + from + ":" + to);
    List<NDArray> low = new ArrayList<>(extra);
    for (int i = 0; i < low.size(); i++) {
      switch (term.outputs.get(i)) {
        case ROWS -> low.set(i, low.get(i).get(rows));
        case COLUMNS -> low.set(i, low.get(i).get(columns));
        case NONE -> {}
      }
    }
    return new LinearProduct(
        kind, linear, term, low, gradientSize, gradientOrder, chainRule, chainedSize, adapters);
  }

  int adapters() {
    return adapters;
  }

  long code() {
    return kind.code + TERMS * term.code;
  }

  List<NDArray> tensors() {
    return tensors;
  }

  /** The tensors of the term around the product. */
  List<NDArray> term() {
    return extra;
  }

  boolean isTrained() {
    return kind.trained || !extra.isEmpty();
  }

  /** The number of values in the engine's gradient of this weight. */
  int gradientSize() {
    return Math.toIntExact(gradientSize);
  }

  /** The number of trained values, which {@link #gradient} copies. */
  int trainedSize() {
    if (chainRule != null) {
      return chainedSize;
    }
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
    if (chainRule != null) {
      chainRule.apply(flat, at, sorted, offset);
      return;
    }
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
    return gradientOrder.length == 0 && chainRule == null;
  }
}
