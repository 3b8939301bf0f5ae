package io.millrace.svft.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.pytorch.jni.IValue;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.tensor.TorchScript;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * A base model and the products of its linear weights with one adapter or several, in the form of
 * {@code encoder.py}'s arguments. The base model's arrays are shared. The arrays that adapters add
 * belong to the manager with which the products were made.
 */
public final class AdaptedModel implements AutoCloseable {
  /** The embeddings' normalisation is below all linear weights. */
  private static final int BELOW_ALL = -1;

  private final BaseModel base;
  private final List<LinearProduct> products;
  private final int lowest;
  private final int adapters;
  private final IValue embeddings;
  private final List<NDArray> ownNorms;
  private final IValue norms;
  private final IValue kinds;
  private final IValue linears;
  private final IValue backs;
  private final IValue terms;

  /**
   * @param base shared; must outlive this model
   * @param products one per linear weight, in the order of {@link EncoderConfig#weights()}
   */
  public AdaptedModel(BaseModel base, List<LinearProduct> products) {
    this(base, products, List.of());
  }

  /**
   * A model with layer normalisations of its own.
   *
   * @param base shared; must outlive this model
   * @param products one per linear weight, in the order of {@link EncoderConfig#weights()}
   * @param norms a weight and a bias for each layer normalisation, one after the other, in the
   *     order of {@link EncoderConfig#norms()}: [adapters, hidden], which are trained, or [hidden];
   *     empty for those of the base model
   */
  public AdaptedModel(BaseModel base, List<LinearProduct> products, List<NDArray> norms) {
    this(base, products, norms, base::packedToTrain, base::packedForBackward);
  }

  /** As the constructor, for predictions alone: with the base model's packed weights. */
  public static AdaptedModel toPredict(
      BaseModel base, List<LinearProduct> products, List<NDArray> norms) {
    return new AdaptedModel(base, products, norms, base::packed, UnaryOperator.identity());
  }

  private AdaptedModel(
      BaseModel base,
      List<LinearProduct> products,
      List<NDArray> norms,
      UnaryOperator<NDArray> computedWith,
      UnaryOperator<NDArray> backWith) {
    this.base = base;
    this.products = List.copyOf(products);
    this.ownNorms = List.copyOf(norms);
    this.embeddings = norms.isEmpty() ? null : base.embeddingArgument(norms);
    this.norms = norms.isEmpty() ? null : base.normArgument(norms);
    int first = 0;
    while (first < products.size() && !products.get(first).isTrained()) {
      first++;
    }
    this.lowest = trainsNorms() ? BELOW_ALL : first;
    int owners = products.stream().mapToInt(LinearProduct::adapters).max().orElse(1);
    this.adapters = trainsNorms() ? Math.max(owners, (int) norms.get(0).getShape().get(0)) : owners;
    this.kinds = IValue.listFrom(products.stream().mapToLong(LinearProduct::code).toArray());
    this.linears = tensors(computedWith);
    this.backs = tensors(backWith);
    this.terms = TorchScript.lists(products.stream().map(LinearProduct::term).toList());
  }

  private IValue tensors(UnaryOperator<NDArray> with) {
    return TorchScript.lists(
        products.stream().map(product -> product.tensors().stream().map(with).toList()).toList());
  }

  /** The argument {@code backs} of {@code encoder.py}. */
  IValue backs() {
    return backs;
  }

  /**
   * Sorts the gradients of a segment into the order of the trained values in an adapter's flat
   * array.
   *
   * @param flat the gradients that {@code encoder.py} returned, weight after weight
   * @return the gradients [trained values]; the same array if it already has this order
   */
  public float[] gradients(float[] flat) {
    if (isGradientInOrder()) {
      return flat;
    }
    int linear = products.stream().mapToInt(LinearProduct::trainedSize).sum();
    float[] sorted = new float[linear + normSize()];
    int from = 0;
    int to = 0;
    for (LinearProduct product : products) {
      product.gradient(flat, from, sorted, to);
      from += product.gradientSize();
      to += product.trainedSize();
    }
    System.arraycopy(flat, from, sorted, to, normSize());
    return sorted;
  }

  /** The number of trained values of the layer normalisations. */
  private int normSize() {
    return trainsNorms() ? (int) (ownNorms.size() * ownNorms.get(0).getShape().get(1)) : 0;
  }

  private boolean trainsNorms() {
    return !ownNorms.isEmpty() && ownNorms.get(0).getShape().dimension() == 2;
  }

  /** Whether the engine's gradients already have the order of the trained values. */
  public boolean isGradientInOrder() {
    return products.stream().allMatch(LinearProduct::isGradientInOrder);
  }

  /**
   * The arguments of a pass in {@code encoder.py}: those of a slice, its own, then {@code more}.
   */
  IValue[] arguments(List<IValue> slice, IValue... more) {
    List<IValue> arguments = new ArrayList<>(slice);
    arguments.add(embeddings == null ? base.embeddingArgument() : embeddings);
    arguments.add(norms == null ? base.normArgument() : norms);
    arguments.addAll(List.of(kinds, linears, terms));
    arguments.addAll(List.of(more));
    return arguments.toArray(IValue[]::new);
  }

  /** The number of values in the engine's gradient of one segment. */
  public int gradientSize() {
    return products.stream().mapToInt(LinearProduct::gradientSize).sum() + normSize();
  }

  /** The number of adapters whose rows a slice may hold. */
  int adapters() {
    return adapters;
  }

  /**
   * Its own layer normalisations, as given to the constructor; empty if they are the base model's.
   */
  public List<NDArray> norms() {
    return ownNorms;
  }

  /** The products of the linear weights, in the order of {@link EncoderConfig#weights()}. */
  public List<LinearProduct> products() {
    return products;
  }

  /**
   * A linear weight merged with its adapter into one matrix, which belongs to the caller's scope.
   *
   * @param index in {@link #products()}
   * @return W' [out, in]
   */
  public NDArray merged(int index) {
    return merged(products.get(index));
  }

  /**
   * Some rows of {@link #merged(int)}.
   *
   * @param from the first row
   * @param to the row after the last
   * @return [to − from, in]
   */
  public NDArray merged(int index, int from, int to) {
    return merged(products.get(index).rows(from, to));
  }

  private NDArray merged(LinearProduct product) {
    try (IValue kind = IValue.from(product.code());
        IValue linear = TorchScript.tensors(product.tensors());
        IValue term = TorchScript.tensors(product.term())) {
      return base.script().call("merge", kind, linear, term).get(0);
    }
  }

  /**
   * The index of the first linear weight that has gradients; the number of linear weights if none
   * has; below 0 if the layer normalisations have.
   */
  int lowest() {
    return lowest;
  }

  @Override
  public void close() {
    if (norms != null) {
      embeddings.close();
      norms.close();
    }
    kinds.close();
    linears.close();
    backs.close();
    terms.close();
  }
}
