package io.millrace.svft.method;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.JsonText;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.SplitMix64;
import io.millrace.svft.tensor.Torch;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Vector-based random matrix adaptation (Kopiczko et al., 2023, arXiv 2310.11454): W' = W +
 * diag(λ_b) B diag(λ_d) A. A [rank, in] and B [out, rank] are random, frozen and the same for all
 * weights, where smaller weights take the first columns of A and the first rows of B. The vectors
 * λ_d [rank] and λ_b [out] are trained.
 *
 * <p>The values of a weight are λ_d, then λ_b, under the names of PEFT. λ_d starts at {@code start}
 * and λ_b at zero. A and B are drawn uniformly from ±√(6 / in) and ±√(6 / rank), where in is that
 * of the widest weight, as in PEFT (He et al., 2015), by generators seeded with {@code vera.A:SEED}
 * and {@code vera.B:SEED}: A column by column, B row by row. No payload holds them.
 *
 * @param rank rows of A
 * @param start the first value of λ_d
 * @param seed of A and B
 * @param weights the roles of the adapted weights
 */
public record Vera(int rank, double start, int seed, Set<WeightRole> weights)
    implements AdapterMethod {
  private static final String ID = "vera";

  private static final MethodOption RANK =
      MethodOption.wholeNumber(
          "rank",
          256,
          1,
          1 << 20,
          MethodOption.Role.ARGUMENT,
          "VeRA's rank: rows of its first random matrix, and trained values of its first vector.");

  private static final MethodOption START =
      MethodOption.decimal(
          "start",
          0.1,
          0,
          1e6,
          MethodOption.Role.DERIVED,
          "The first value of VeRA's first vector.");

  private static final MethodOption SEED =
      MethodOption.wholeNumber(
          "seed",
          0,
          0,
          Integer.MAX_VALUE,
          MethodOption.Role.DERIVED,
          "The seed of VeRA's random matrices.");

  static final MethodForm FORM =
      new MethodForm(
          ID,
          "two vectors around shared random factors",
          List.of("vera:RANK     two vectors per weight, around random factors that all share"),
          List.of(";start=N;seed=N      vera: the vectors' first value, the factors' seed"),
          List.of(RANK, START, SEED),
          true,
          Vera::parse);

  /**
   * @throws IllegalArgumentException if the rank or the start is not positive, or no weight is
   *     adapted
   */
  public Vera {
    if (rank < 1) {
      throw new IllegalArgumentException("vera: rank is " + rank + ", and must be positive");
    }
    if (!(start > 0 && start <= Float.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "vera: start is " + start + ", and must be positive and finite");
    }
    weights = AdapterMethod.inOrder(ID, weights);
  }

  private static AdapterMethod parse(MethodText text) {
    return new Vera(
        text.wholeNumber(RANK),
        text.decimal(START).orElse(Double.parseDouble(START.defaultValue())),
        text.wholeNumber(SEED),
        text.weights(WeightRole.all()));
  }

  @Override
  public MethodForm form() {
    return FORM;
  }

  @Override
  public String spec() {
    return ID
        + ":"
        + rank
        + START.text(MethodText.plain(start))
        + SEED.text(Integer.toString(seed))
        + MethodText.weightsOption(weights, WeightRole.all());
  }

  @Override
  public Map<String, String> options() {
    return Map.of(
        RANK.name(),
        Integer.toString(rank),
        START.name(),
        Double.toString(start),
        SEED.name(),
        Integer.toString(seed));
  }

  @Override
  public double learningRate() {
    return 1.25e-2;
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    return List.of(
        new ValueTensor(".vera_lambda_d", rank), new ValueTensor(".vera_lambda_b", weight.out()));
  }

  @Override
  public void initialize(BaseModel.Linear linear, float[] values) {
    Arrays.fill(values, 0, rank, (float) start);
  }

  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    String of = " of rank " + rank + " and seed " + seed;
    NDArray a = linear.derived("A" + of, manager, () -> a(linear, manager));
    NDArray b = linear.derived("B" + of, manager, () -> b(linear, manager));
    return product(linear, a, b, adapters, manager);
  }

  /**
   * The product with given factors.
   *
   * @param a [rank, in]
   * @param b [out, rank]
   */
  public static LinearProduct product(
      BaseModel.Linear linear,
      NDArray a,
      NDArray b,
      List<WeightValues> adapters,
      NDManager manager) {
    int count = adapters.size();
    int rank = (int) a.getShape().get(0);
    int out = linear.weight().out();
    float[] d = WeightValues.stacked(adapters, 0, rank);
    float[] l = WeightValues.stacked(adapters, rank, rank + out);
    return LinearProduct.shared(
            linear,
            a,
            b,
            Torch.array(manager, d, count, rank),
            Torch.array(manager, l, count, out),
            manager)
        .ofAdapters(count);
  }

  private NDArray a(BaseModel.Linear linear, NDManager manager) {
    int in = linear.weight().in();
    return Torch.array(manager, a(linear.config(), in), rank, in);
  }

  /** The first columns of A, [rank, in]. */
  private float[] a(EncoderConfig config, int in) {
    int widest = config.weights().stream().mapToInt(EncoderWeight::in).max().orElse(in);
    double bound = StrictMath.sqrt(6.0 / widest);
    SplitMix64 draws = SplitMix64.seededBy("vera.A:" + seed);
    float[] a = new float[rank * in];
    for (int i = 0; i < in; i++) {
      for (int r = 0; r < rank; r++) {
        a[r * in + i] = draws.nextWithin(bound);
      }
    }
    return a;
  }

  private NDArray b(BaseModel.Linear linear, NDManager manager) {
    int out = linear.weight().out();
    return Torch.array(manager, b(out), out, rank);
  }

  /** The first rows of B, [out, rank]. */
  private float[] b(int out) {
    double bound = StrictMath.sqrt(6.0 / rank);
    SplitMix64 draws = SplitMix64.seededBy("vera.B:" + seed);
    float[] b = new float[out * rank];
    for (int k = 0; k < b.length; k++) {
      b[k] = draws.nextWithin(bound);
    }
    return b;
  }

  @Override
  public Optional<ObjectNode> peftConfig(EncoderConfig config, UnaryOperator<String> module) {
    // PEFT draws its factors from the key before it takes those of the file.
    return Optional.of(
        JsonText.object()
            .put("peft_type", "VERA")
            .put("r", rank)
            .put("projection_prng_key", seed)
            .put("save_projection", true)
            .put("vera_dropout", 0.0)
            .put("d_initial", start)
            .put("bias", "none")
            .put("fan_in_fan_out", false)
            .put("init_weights", true));
  }

  /** The factors, as wide as the adapted weights need them together. */
  @Override
  public List<Safetensors.Tensor> peftShared(EncoderConfig config) {
    int in = 0;
    int out = 0;
    for (EncoderWeight weight : config.weights()) {
      if (weights.contains(weight.role())) {
        in = Math.max(in, weight.in());
        out = Math.max(out, weight.out());
      }
    }
    return List.of(
        new Safetensors.Tensor(".vera_A", new long[] {rank, in}, a(config, in)),
        new Safetensors.Tensor(".vera_B", new long[] {out, rank}, b(out)));
  }
}
