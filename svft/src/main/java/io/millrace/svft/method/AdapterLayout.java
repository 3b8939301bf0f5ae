package io.millrace.svft.method;

import ai.djl.ndarray.NDManager;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * How the trainable values of an adapter lie in one flat array: weight after weight, in the order
 * of {@link EncoderConfig#weights()}.
 *
 * @param method whose values they are
 * @param parts the adapted weights
 * @param size trainable values over all of them
 */
public record AdapterLayout(AdapterMethod method, List<Part> parts, int size) {

  /**
   * One adapted weight's share: the values of {@link AdapterMethod#tensors}.
   *
   * @param weight the adapted weight
   * @param index its place in {@link EncoderConfig#weights()}
   * @param n rows of M: the singular directions it spans; 0 for a method without M
   * @param offset where its values start
   * @param size how many there are
   */
  public record Part(EncoderWeight weight, int index, int n, int offset, int size) {

    /** This weight's share of an array that lies as the layout says. */
    public float[] of(float[] values) {
      return Arrays.copyOfRange(values, offset, offset + size);
    }
  }

  /**
   * @throws IllegalArgumentException where the values outgrow an array
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
    return new AdapterLayout(method, List.copyOf(parts), offset);
  }

  /** [size]: the values before the first step. */
  public float[] initialValues(BaseModel base) {
    float[] values = new float[size];
    for (Part part : parts) {
      float[] own = new float[part.size()];
      method.initialize(base.linears().get(part.index()), own);
      System.arraycopy(own, 0, values, part.offset(), own.length);
    }
    return values;
  }

  /**
   * Where M's values lie, per part.
   *
   * @param recorded flat row-major places of all parts, one after the other, for a pattern that has
   *     no closed form; empty where they are still to be chosen
   * @return empty for a method without M, and while positions are to be chosen
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
   * How the engine computes with the linear weights of a base model under this method.
   *
   * @param positions as {@link #positions} gives them
   * @param values [size]; empty while positions are to be chosen, so that M is zero
   * @param manager owns the arrays made here, unless a scope of the caller does
   * @return per linear weight, in the order of {@link EncoderConfig#weights()}
   */
  public List<LinearProduct> products(
      BaseModel base, List<Positions> positions, float[] values, NDManager manager) {
    List<LinearProduct> products = new ArrayList<>();
    int next = 0;
    for (int i = 0; i < base.linears().size(); i++) {
      BaseModel.Linear linear = base.linears().get(i);
      if (next < parts.size() && parts.get(next).index() == i) {
        Optional<Positions> where =
            positions.isEmpty() ? Optional.empty() : Optional.of(positions.get(next));
        float[] own = values.length == 0 ? values : parts.get(next).of(values);
        products.add(method.product(linear, where, own, manager));
        next++;
      } else {
        products.add(LinearProduct.frozen(linear, manager));
      }
    }
    return products;
  }

  /**
   * The positions to record before the first step: none for a method without M, for a pattern that
   * has a closed form, and for one that chooses them by gradients.
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
