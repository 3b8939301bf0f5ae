package io.millrace.svft.method;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.tensor.NativeFloats;
import io.millrace.svft.tensor.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The layout of an adapter's trainable values in one flat array: weight after weight, in the order
 * of {@link EncoderConfig#weights()}, then, if the method trains them, the layer normalisations in
 * the order of {@link EncoderConfig#norms()}.
 *
 * @param method the method that the values belong to
 * @param parts the adapted weights
 * @param norms the trained weights and biases of layer normalisations; empty if they are frozen
 * @param size the number of trainable values of all parts and normalisations
 */
public record AdapterLayout(AdapterMethod method, List<Part> parts, List<Named> norms, int size) {
  private static final float[] NONE = {};

  /**
   * The part of one adapted weight: the values of {@link AdapterMethod#tensors}, one tensor after
   * the other.
   *
   * @param weight the adapted weight
   * @param index its index in {@link EncoderConfig#weights()}
   * @param n rows and columns of M, the number of singular directions; 0 for a method without M
   * @param offset index of its first value in the flat array
   * @param size the number of its values
   */
  public record Part(EncoderWeight weight, int index, int n, int offset, int size) {

    /** Copies this weight's values [{@link #size}] from an array with this layout. */
    public float[] of(float[] values) {
      return Arrays.copyOfRange(values, offset, offset + size);
    }
  }

  /**
   * A tensor of the flat array.
   *
   * @param name in the payload
   * @param shape its dimensions
   * @param offset index of its first value in the flat array
   * @param size the number of its values
   */
  public record Named(String name, long[] shape, int offset, int size) {}

  /**
   * All tensors, in their order in the flat array. Each is made when it is asked for: a damaged
   * payload may claim to have very many.
   */
  public Iterable<Named> tensors() {
    return () ->
        Stream.concat(parts.stream().flatMap(part -> tensors(part).stream()), norms.stream())
            .iterator();
  }

  private List<Named> tensors(Part part) {
    List<Named> tensors = new ArrayList<>();
    int offset = part.offset();
    for (ValueTensor tensor : method.tensors(part.weight())) {
      int size = (int) tensor.size();
      String name = part.weight().name() + tensor.suffix();
      tensors.add(new Named(name, tensor.shape(), offset, size));
      offset += size;
    }
    return tensors;
  }

  /**
   * The layout of a method on an encoder.
   *
   * @throws IllegalArgumentException if the number of values exceeds an int
   */
  public static AdapterLayout of(EncoderConfig config, AdapterMethod method) {
    List<Part> parts = new ArrayList<>();
    List<EncoderWeight> weights = config.weights();
    int offset = 0;
    for (int i = 0; i < weights.size(); i++) {
      EncoderWeight w = weights.get(i);
      if (method.weights().contains(w.role())) {
        long size = method.tensors(w).stream().mapToLong(ValueTensor::size).sum();
        try {
          parts.add(new Part(w, i, method.directions(w), offset, Math.toIntExact(size)));
          offset = Math.toIntExact(offset + size);
        } catch (ArithmeticException e) {
          throw new IllegalArgumentException(
              method.spec() + " has more than " + Integer.MAX_VALUE + " trainable values here");
        }
      }
    }
    List<Named> norms = new ArrayList<>();
    if (method.trainsNorms()) {
      int hidden = config.hidden();
      for (String norm : config.norms()) {
        for (String tensor : List.of(".weight", ".bias")) {
          norms.add(new Named(norm + tensor, new long[] {hidden}, offset, hidden));
          offset = Math.addExact(offset, hidden);
        }
      }
    }
    return new AdapterLayout(method, List.copyOf(parts), List.copyOf(norms), offset);
  }

  /**
   * The values before the first step, [size].
   *
   * @throws AdapterException if the base model was not loaded as {@link AdapterMethod#factored}
   *     demands
   */
  public float[] initialValues(BaseModel base) {
    float[] values = new float[size];
    for (Part part : parts) {
      float[] own = new float[part.size()];
      method.initialize(base.linears().get(part.index()), own);
      System.arraycopy(own, 0, values, part.offset(), own.length);
    }
    for (int i = 0; i < norms.size(); i++) {
      float[] own = base.norms().get(i).toFloatArray();
      System.arraycopy(own, 0, values, norms.get(i).offset(), own.length);
    }
    return values;
  }

  /**
   * The positions of M's values, per part.
   *
   * @param recorded flat row-major positions of all parts, one after the other, for a pattern
   *     without a closed form; empty if a gradient pattern has not yet chosen them
   * @return one element per part; empty for a method without M, and while a gradient pattern has
   *     not yet chosen the positions
   */
  public List<Positions> positions(int[] recorded) {
    Pattern pattern = method.sparsity().orElse(null);
    if (pattern == null || (!pattern.closedForm() && recorded.length == 0)) {
      return List.of();
    }
    List<Positions> positions = new ArrayList<>();
    for (Part part : parts) {
      if (pattern.closedForm()) {
        positions.add(pattern.positions(site(part)));
      } else {
        int[] own = Arrays.copyOfRange(recorded, part.offset(), part.offset() + part.size());
        positions.add(Positions.of(own, part.n()));
      }
    }
    return positions;
  }

  /**
   * One adapter.
   *
   * @param positions as {@link #positions} returns them
   * @param values [size]; empty while a gradient pattern has not yet chosen positions: M is then
   *     zero; and empty if the values lie outside of the heap
   * @param outside [size], if they do
   */
  public record Values(List<Positions> positions, float[] values, Optional<NativeFloats> outside) {

    /** With values on the heap. */
    public Values(List<Positions> positions, float[] values) {
      this(positions, values, Optional.empty());
    }

    /** With values [size] outside of the heap. */
    public Values(List<Positions> positions, NativeFloats values) {
      this(positions, NONE, Optional.of(values));
    }

    private WeightValues of(int index, Part part) {
      return new WeightValues(
          positions.isEmpty() ? Optional.empty() : Optional.of(positions.get(index)),
          values.length == 0 ? values : part.of(values),
          outside.map(all -> all.slice(part.offset(), part.offset() + part.size())));
    }
  }

  /**
   * The products with which the engine computes the linear weights of a base model under this
   * method.
   *
   * @param adapters at least one; all with positions, or all without
   * @param manager owns the arrays created here, unless a scope of the caller does
   * @return one product per linear weight, in the order of {@link EncoderConfig#weights()}
   */
  public List<LinearProduct> products(BaseModel base, List<Values> adapters, NDManager manager) {
    List<LinearProduct> products = new ArrayList<>();
    int next = 0;
    for (int i = 0; i < base.linears().size(); i++) {
      BaseModel.Linear linear = base.linears().get(i);
      if (next < parts.size() && parts.get(next).index() == i) {
        int index = next++;
        List<WeightValues> own =
            adapters.stream().map(each -> each.of(index, parts.get(index))).toList();
        products.add(method.product(linear, own, manager));
      } else {
        products.add(LinearProduct.frozen(linear, manager));
      }
    }
    return products;
  }

  /**
   * The layer normalisations of several adapters: a weight and a bias [adapters, hidden] for each;
   * empty if they are the base model's.
   *
   * @param manager owns the arrays created here, unless a scope of the caller does
   */
  public List<NDArray> norms(List<Values> adapters, NDManager manager) {
    List<NDArray> arrays = new ArrayList<>();
    for (Named norm : norms) {
      float[] all = new float[adapters.size() * norm.size()];
      for (int i = 0; i < adapters.size(); i++) {
        Values own = adapters.get(i);
        float[] values = own.outside.map(NativeFloats::toArray).orElse(own.values);
        System.arraycopy(values, norm.offset(), all, i * norm.size(), norm.size());
      }
      arrays.add(Torch.array(manager, all, adapters.size(), norm.size()));
    }
    return arrays;
  }

  /**
   * The flat row-major positions to record before the first step, [size]. Empty for a method
   * without M, for a pattern with a closed form, and for a pattern that chooses positions by
   * gradients.
   */
  public int[] initialPositions(BaseModel base) {
    Pattern pattern = method.sparsity().orElse(null);
    if (pattern == null || pattern.closedForm() || pattern.needsGradients()) {
      return new int[0];
    }
    int[] recorded = new int[size];
    parts.parallelStream()
        .forEach(
            part -> {
              Site site = pattern.needsBasis() ? site(part, base) : site(part);
              record(pattern.positions(site), part, recorded);
            });
    return recorded;
  }

  static void record(Positions positions, Part part, int[] recorded) {
    System.arraycopy(positions.flat(part.n()), 0, recorded, part.offset(), part.size());
  }

  private static Site site(Part part) {
    EncoderWeight w = part.weight();
    return new Site(w.name(), w.out(), w.in(), part.n());
  }

  private static Site site(Part part, BaseModel base) {
    EncoderWeight w = part.weight();
    int n = part.n();
    BaseModel.Factors factors = base.linears().get(part.index()).factors();
    float[] all = factors.u().toFloatArray();
    float[] u = new float[w.out() * n];
    for (int row = 0; row < w.out(); row++) {
      System.arraycopy(all, row * w.rank(), u, row * n, n);
    }
    float[] vt = Arrays.copyOf(factors.vt().toFloatArray(), n * w.in());
    return new Site(w.name(), w.out(), w.in(), n, u, vt);
  }
}
