package io.millrace.svft.method;

import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.Safetensors;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Principal singular values and vectors adaptation (Meng et al., 2024, arXiv 2404.02948): W' =
 * W_res + c B A with c = alpha / rank. A [rank, in] and B [out, rank] start as the leading singular
 * directions of W, c B A = U_r diag(Σ_r) V_rᵀ, each with the root of the singular values. W_res,
 * the other directions, is frozen. So the start is the base model up to rounding.
 *
 * <p>The values of a weight are A, then B. The tensors have the names of LoRA's in PEFT.
 *
 * @param rank rows of A; a weight with fewer singular directions has as many rows as those
 * @param alpha numerator of the scale alpha / rank
 * @param weights the roles of the adapted weights
 */
public record Pissa(int rank, double alpha, Set<WeightRole> weights) implements AdapterMethod {
  private static final String ID = "pissa";

  private static final MethodOption RANK =
      MethodOption.wholeNumber(
          "rank",
          8,
          1,
          1 << 20,
          MethodOption.Role.ARGUMENT,
          "PiSSA's rank: the number of leading singular directions that are trained.");

  private static final MethodOption ALPHA =
      MethodOption.decimal(
          "alpha",
          0,
          0,
          1e6,
          MethodOption.Role.DERIVED,
          "PiSSA's alpha: its product is scaled by alpha over rank. 0 is the rank.");

  static final MethodForm FORM =
      new MethodForm(
          ID,
          "two low-rank factors that start as the leading singular directions",
          List.of("pissa:RANK    the leading singular directions as two low-rank factors"),
          List.of(";alpha=N             pissa: another alpha than the rank"),
          List.of(RANK, ALPHA),
          true,
          Pissa::parse);

  /**
   * @throws IllegalArgumentException if rank or alpha is not positive, alpha is not finite, or no
   *     weight is adapted
   */
  public Pissa {
    Lora.requirePositive(ID, rank, alpha);
    weights = AdapterMethod.inOrder(ID, weights);
  }

  private static AdapterMethod parse(MethodText text) {
    int rank = text.wholeNumber(RANK);
    double alpha = text.decimal(ALPHA).orElse((double) rank);
    return new Pissa(rank, alpha, text.weights(WeightRole.all()));
  }

  private double scale() {
    return alpha / rank;
  }

  private int rank(EncoderWeight weight) {
    return Math.min(rank, weight.rank());
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
        + ";alpha="
        + MethodText.plain(alpha)
        + MethodText.weightsOption(weights, WeightRole.all());
  }

  @Override
  public Map<String, String> options() {
    return Map.of(RANK.name(), Integer.toString(rank), ALPHA.name(), Double.toString(alpha));
  }

  /** The values are those of the weights themselves, so the rate is below LoRA's. */
  @Override
  public double learningRate() {
    return 2e-4;
  }

  @Override
  public Set<WeightRole> factored() {
    return weights;
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    return List.of(
        new ValueTensor(".lora_A.weight", rank(weight), weight.in()),
        new ValueTensor(".lora_B.weight", weight.out(), rank(weight)));
  }

  @Override
  public void initialize(BaseModel.Linear linear, float[] values) {
    Svft.requireFactors(linear);
    EncoderWeight weight = linear.weight();
    int r = rank(weight);
    int in = weight.in();
    float[] vt = linear.factors().vt().toFloatArray();
    float[] u = linear.factors().u().toFloatArray();
    for (int k = 0; k < r; k++) {
      double root = StrictMath.sqrt(linear.sigma()[k] / scale());
      for (int i = 0; i < in; i++) {
        values[k * in + i] = (float) (root * vt[k * in + i]);
      }
      for (int o = 0; o < weight.out(); o++) {
        values[r * in + o * r + k] = (float) (root * u[o * weight.rank() + k]);
      }
    }
  }

  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    Svft.requireFactors(linear);
    int r = rank(linear.weight());
    float[] others = linear.sigma().clone();
    Arrays.fill(others, 0, r, 0);
    LinearProduct residual =
        LinearProduct.dense(
            linear.composed("all directions but " + r, others, manager), linear.bias());
    return Lora.plusLowRank(residual, linear.weight(), r, scale(), adapters, manager);
  }

  /**
   * As LoRA beside the whole weight, W' = W + c (B A − B₀ A₀), where A₀ and B₀ are the first
   * values: PEFT's own PiSSA would compute another residual than W_res.
   */
  @Override
  public Optional<ObjectNode> peftConfig(EncoderConfig config, UnaryOperator<String> module) {
    ObjectNode json = Lora.peftConfig(2 * rank, 2 * alpha);
    ObjectNode ranks = json.putObject("rank_pattern");
    ObjectNode alphas = json.putObject("alpha_pattern");
    for (EncoderWeight weight : config.weights()) {
      if (weights.contains(weight.role()) && rank(weight) < rank) {
        ranks.put(module.apply(weight.name()), 2 * rank(weight));
        alphas.put(module.apply(weight.name()), 2 * rank(weight) * scale());
      }
    }
    return Optional.of(json);
  }

  @Override
  public List<Safetensors.Tensor> peftTensors(BaseModel.Linear linear, float[] values) {
    EncoderWeight weight = linear.weight();
    int r = rank(weight);
    int in = weight.in();
    int out = weight.out();
    float[] first = new float[values.length];
    initialize(linear, first);
    float[] a = new float[2 * r * in];
    System.arraycopy(values, 0, a, 0, r * in);
    System.arraycopy(first, 0, a, r * in, r * in);
    float[] b = new float[out * 2 * r];
    for (int o = 0; o < out; o++) {
      for (int k = 0; k < r; k++) {
        b[o * 2 * r + k] = values[r * in + o * r + k];
        b[o * 2 * r + r + k] = -first[r * in + o * r + k];
      }
    }
    return List.of(
        new Safetensors.Tensor(".lora_A.weight", new long[] {2 * r, in}, a),
        new Safetensors.Tensor(".lora_B.weight", new long[] {out, 2 * r}, b));
  }
}
