package io.millrace.svft.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.pytorch.jni.IValue;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.BandedPattern;
import io.millrace.svft.method.Pattern;
import io.millrace.svft.method.PlainPattern;
import io.millrace.svft.method.Positions;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.tensor.EncoderScript;
import io.millrace.svft.tensor.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A base model with one adapter in its linear weights, as {@code encoder.py} computes with it. The
 * base's arrays are shared; the adapter's belong to the manager or scope it was made in.
 */
public final class AdaptedModel implements AutoCloseable {
  /** How a linear weight is computed: what {@code encoder.py} calls its kind. */
  private enum Kind {
    DENSE,
    DENSE_TRAINED,
    DIAGONAL,
    BANDS,
    PLACES,
    SCORED,
    FACTORED
  }

  /** Wider bands than this are as fast as places anywhere in M. */
  private static final int WIDEST_BANDS = 8;

  private final BaseModel base;
  private final long[] kinds;
  private final List<List<NDArray>> linears = new ArrayList<>();
  private final List<List<NDArray>> loras = new ArrayList<>();
  private final int lowest;
  private final IValue kindsArgument;
  private final IValue linearsArgument;
  private final IValue lorasArgument;

  /**
   * @param values trainable values in the order of the layout; empty while a gradient pattern's
   *     positions are still to be chosen, so that M is zero
   * @param positions of M's values per part of the layout; null entries while they are to be chosen
   * @param manager owns what is made here; inside an {@link ai.djl.ndarray.NDScope} the scope does
   */
  public AdaptedModel(
      BaseModel base,
      AdapterMethod method,
      AdapterLayout layout,
      List<Positions> positions,
      float[] values,
      NDManager manager) {
    this.base = base;
    int count = base.linears().size();
    this.kinds = new long[count];
    for (BaseModel.Linear linear : base.linears()) {
      kinds[linears.size()] = (linear.dense() != null ? Kind.DENSE : Kind.FACTORED).ordinal();
      boolean replaced =
          !(method instanceof AdapterMethod.Lora)
              && method.weights().contains(linear.weight().role());
      linears.add(replaced ? List.of() : frozen(linear, manager));
      loras.add(List.of());
    }
    for (int i = 0; i < layout.parts().size(); i++) {
      AdapterLayout.Part part = layout.parts().get(i);
      BaseModel.Linear linear = base.linears().get(part.index());
      if (method instanceof AdapterMethod.Svft) {
        Kind kind = kind(method, positions.get(i));
        kinds[part.index()] = kind.ordinal();
        linears.set(part.index(), svft(linear, part, kind, positions.get(i), values, manager));
      } else {
        float[] own = Arrays.copyOfRange(values, part.offset(), part.offset() + part.size());
        if (method instanceof AdapterMethod.Lora lora) {
          loras.set(part.index(), lora(part.weight(), lora, own, manager));
        } else {
          kinds[part.index()] = Kind.DENSE_TRAINED.ordinal();
          NDArray w = Torch.array(manager, own, part.weight().out(), part.weight().in());
          linears.set(part.index(), List.of(w, linear.bias()));
        }
      }
    }
    this.lowest = layout.parts().isEmpty() ? count : layout.parts().get(0).index();
    this.kindsArgument = IValue.listFrom(kinds);
    this.linearsArgument = EncoderScript.lists(linears);
    this.lorasArgument = EncoderScript.lists(loras);
  }

  /**
   * A model whose linear weights are all dense.
   *
   * @param dense per linear weight [W, b]; they stay the caller's
   */
  public AdaptedModel(BaseModel base, List<List<NDArray>> dense) {
    this.base = base;
    this.kinds = new long[dense.size()];
    Arrays.fill(kinds, Kind.DENSE.ordinal());
    linears.addAll(dense);
    dense.forEach(linear -> loras.add(List.of()));
    this.lowest = dense.size();
    this.kindsArgument = IValue.listFrom(kinds);
    this.linearsArgument = EncoderScript.lists(linears);
    this.lorasArgument = EncoderScript.lists(loras);
  }

  private static Kind kind(AdapterMethod method, Positions positions) {
    if (positions == null) {
      return Kind.SCORED;
    }
    Pattern pattern = ((AdapterMethod.Svft) method).pattern();
    if (pattern instanceof PlainPattern) {
      return Kind.DIAGONAL;
    }
    return pattern instanceof BandedPattern && pattern.d() <= WIDEST_BANDS
        ? Kind.BANDS
        : Kind.PLACES;
  }

  private static List<NDArray> frozen(BaseModel.Linear linear, NDManager manager) {
    if (linear.dense() != null) {
      return List.of(linear.dense(), linear.bias());
    }
    return List.of(
        linear.factors().vt(),
        linear.factors().u(),
        linear.bias(),
        Torch.array(manager, linear.sigma(), linear.sigma().length));
  }

  private static List<NDArray> svft(
      BaseModel.Linear linear,
      AdapterLayout.Part part,
      Kind kind,
      Positions positions,
      float[] values,
      NDManager manager) {
    if (linear.factors() == null) {
      throw new AdapterException(
          "the base model was loaded without the singular basis of " + part.weight().name());
    }
    int n = part.n();
    NDArray vt = linear.factors().vt();
    NDArray u = linear.factors().u();
    if (n < part.weight().rank()) {
      vt = vt.get(new NDIndex(":" + n));
      u = u.get(new NDIndex(":, :" + n));
      // A view belongs to the manager of what it looks into, which is the base model's.
      vt.attach(manager);
      u.attach(manager);
    }
    List<NDArray> tensors = new ArrayList<>(List.of(vt, u, linear.bias()));
    float[] sigma = Arrays.copyOf(linear.sigma(), n);
    switch (kind) {
      case DIAGONAL -> {
        for (int k = 0; k < n; k++) {
          sigma[k] += values[part.offset() + k];
        }
        tensors.add(Torch.array(manager, sigma, n));
      }
      case BANDS -> {
        int bands = 2 * bandwidth(positions) + 1;
        tensors.add(
            Torch.array(manager, bands(part, positions, sigma, values, bands / 2), bands, n));
      }
      case PLACES -> {
        tensors.add(Torch.array(manager, sigma, n));
        tensors.add(Torch.array(manager, flat(positions, n)));
        float[] m = Arrays.copyOfRange(values, part.offset(), part.offset() + part.size());
        tensors.add(Torch.array(manager, m, m.length));
      }
      default -> tensors.add(Torch.array(manager, sigma, n));
    }
    return tensors;
  }

  private static int bandwidth(Positions positions) {
    int widest = 0;
    for (int k = 0; k < positions.size(); k++) {
      widest = Math.max(widest, Math.abs(positions.columns()[k] - positions.rows()[k]));
    }
    return widest;
  }

  /** [2d + 1, n]: place [k, i] holds S[i, i + k − d]. */
  private static float[] bands(
      AdapterLayout.Part part, Positions positions, float[] sigma, float[] values, int d) {
    int n = part.n();
    float[] bands = new float[(2 * d + 1) * n];
    System.arraycopy(sigma, 0, bands, d * n, n);
    for (int k = 0; k < positions.size(); k++) {
      bands[inBands(positions, k, d, n)] += values[part.offset() + k];
    }
    return bands;
  }

  private static int inBands(Positions positions, int k, int d, int n) {
    int row = positions.rows()[k];
    return (positions.columns()[k] - row + d) * n + row;
  }

  private static long[] flat(Positions positions, int n) {
    long[] flat = new long[positions.size()];
    for (int k = 0; k < flat.length; k++) {
      flat[k] = (long) positions.rows()[k] * n + positions.columns()[k];
    }
    return flat;
  }

  private static List<NDArray> lora(
      EncoderWeight weight, AdapterMethod.Lora lora, float[] own, NDManager manager) {
    int a = lora.rank() * weight.in();
    return List.of(
        Torch.array(manager, Arrays.copyOf(own, a), lora.rank(), weight.in()),
        Torch.array(manager, Arrays.copyOfRange(own, a, own.length), weight.out(), lora.rank()),
        Torch.array(manager, new float[] {(float) lora.scale()}, 1));
  }

  /**
   * Sorts the gradients of a step into the order of the layout.
   *
   * @param flat what {@code encoder.py} returned
   * @return [layout.size()]; while positions are to be chosen [the sum of n² over all parts]
   */
  public static float[] gradients(
      AdapterMethod method, AdapterLayout layout, List<Positions> positions, float[] flat) {
    boolean banded = false;
    for (Positions each : positions) {
      banded |= kind(method, each) == Kind.BANDS;
    }
    if (!banded) {
      return flat;
    }
    float[] sorted = new float[layout.size()];
    int at = 0;
    for (int i = 0; i < layout.parts().size(); i++) {
      AdapterLayout.Part part = layout.parts().get(i);
      int d = bandwidth(positions.get(i));
      for (int k = 0; k < part.size(); k++) {
        sorted[part.offset() + k] = flat[at + inBands(positions.get(i), k, d, part.n())];
      }
      at += (2 * d + 1) * part.n();
    }
    return sorted;
  }

  /** Arguments of {@code encoder.py}'s passes, after the batch. */
  IValue[] arguments(IValue batch, IValue heads, IValue epsilon, IValue... more) {
    List<IValue> arguments =
        new ArrayList<>(
            List.of(
                batch,
                heads,
                epsilon,
                base.embeddings(),
                base.norms(),
                kindsArgument,
                linearsArgument,
                lorasArgument));
    arguments.addAll(List.of(more));
    return arguments.toArray(IValue[]::new);
  }

  /**
   * The one matrix that a linear weight and its adapter amount to; it belongs to the caller's
   * scope.
   *
   * @param index in {@link EncoderConfig#weights()}
   * @return W' [out, in]
   */
  public NDArray merged(int index) {
    return merged(index, linears.get(index), loras.get(index));
  }

  /**
   * Rows of {@link #merged(int)}, of a weight that is not {@link #isDense}.
   *
   * @param from the first row
   * @param to the row after the last
   * @return [to − from, in]
   */
  public NDArray merged(int index, int from, int to) {
    NDIndex rows = new NDIndex(from + ":" + to);
    List<NDArray> linear = new ArrayList<>(linears.get(index));
    // What has a row per output: U, or where it is dense W, and B.
    int at = kinds[index] <= Kind.DENSE_TRAINED.ordinal() ? 0 : 1;
    linear.set(at, linear.get(at).get(rows));
    List<NDArray> lora = new ArrayList<>(loras.get(index));
    if (!lora.isEmpty()) {
      lora.set(1, lora.get(1).get(rows));
    }
    return merged(index, linear, lora);
  }

  private NDArray merged(int index, List<NDArray> tensors, List<NDArray> loraTensors) {
    try (IValue kind = IValue.from(kinds[index]);
        IValue linear = EncoderScript.tensors(tensors);
        IValue lora = EncoderScript.tensors(loraTensors)) {
      return base.script().call("merge", kind, linear, lora).get(0);
    }
  }

  /** Whether a linear weight is one matrix already: there is nothing to merge. */
  public boolean isDense(int index) {
    return kinds[index] <= Kind.DENSE_TRAINED.ordinal() && loras.get(index).isEmpty();
  }

  /** The tensors of a linear weight, as {@code encoder.py} names them. */
  public List<NDArray> linear(int index) {
    return linears.get(index);
  }

  /** Rows of S, or of W where the weight is dense: what a row of {@link #merged} sums over. */
  public int directions(int index) {
    return (int) linears.get(index).get(0).getShape().get(0);
  }

  /** Index of the lowest linear weight that has gradients; their number where none has. */
  int lowest() {
    return lowest;
  }

  @Override
  public void close() {
    kindsArgument.close();
    linearsArgument.close();
    lorasArgument.close();
  }
}
