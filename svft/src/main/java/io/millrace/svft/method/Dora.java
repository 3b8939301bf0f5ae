package io.millrace.svft.method;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.Torch;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Weight-decomposed low-rank adaptation (Liu et al., 2024, arXiv 2402.09353): V = W + c B A with c
 * = alpha / rank, and W' = diag(m) V / ‖V‖, where ‖V‖ are the norms of V's rows. A [rank, in], B
 * [out, rank] and m [out] are trained. The gradient takes ‖V‖ as constant, as in the paper (section
 * 4.3) and in PEFT.
 *
 * <p>The values of a weight are A, B, then m, under the names of PEFT. A and B start as LoRA's do,
 * and m as the norms of W's rows.
 *
 * @param rank rows of A
 * @param alpha numerator of the scale alpha / rank
 * @param weights the roles of the adapted weights
 */
public record Dora(int rank, double alpha, Set<WeightRole> weights) implements AdapterMethod {
  private static final String ID = "dora";

  private static final MethodOption RANK =
      MethodOption.wholeNumber("rank", 8, 1, 1 << 20, MethodOption.Role.ARGUMENT, "DoRA's rank.");

  private static final MethodOption ALPHA =
      MethodOption.decimal(
          "alpha",
          0,
          0,
          1e6,
          MethodOption.Role.DERIVED,
          "DoRA's alpha: its product is scaled by alpha over rank. 0 is twice the rank.");

  static final MethodForm FORM =
      new MethodForm(
          ID,
          "two low-rank factors, and the norms of the weights' rows",
          List.of("dora:RANK     LoRA's factors, and the norm of each row of the weight"),
          List.of(";alpha=N             dora: another alpha than twice the rank"),
          List.of(RANK, ALPHA),
          true,
          Dora::parse);

  /**
   * @throws IllegalArgumentException if rank or alpha is not positive, alpha is not finite, or no
   *     weight is adapted
   */
  public Dora {
    Lora.requirePositive(ID, rank, alpha);
    weights = AdapterMethod.inOrder(ID, weights);
  }

  private static AdapterMethod parse(MethodText text) {
    int rank = text.wholeNumber(RANK);
    double alpha = text.decimal(ALPHA).orElse(2.0 * rank);
    return new Dora(rank, alpha, text.weights(WeightRole.all()));
  }

  private Lora lora() {
    return new Lora(rank, alpha, Lora.Scaling.RANK, weights);
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

  @Override
  public double learningRate() {
    return lora().learningRate();
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    List<ValueTensor> factors = lora().tensors(weight);
    return List.of(
        factors.get(0), factors.get(1), new ValueTensor(".lora_magnitude_vector", weight.out()));
  }

  @Override
  public void initialize(BaseModel.Linear linear, float[] values) {
    lora().initialize(linear, values);
    float[] squares = squares(linear);
    int from = values.length - squares.length;
    for (int o = 0; o < squares.length; o++) {
      // As the engine takes the root, so that W' starts as W.
      values[from + o] = (float) Math.sqrt(squares[o]);
    }
  }

  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    int in = linear.weight().in();
    int out = linear.weight().out();
    int count = adapters.size();
    int b = rank * in;
    int m = b + out * rank;
    NDArray squares =
        linear.derived(
            "squares of rows", manager, () -> Torch.array(manager, squares(linear), 1, out));
    return LinearProduct.magnitude(
            linear,
            Torch.array(manager, WeightValues.stacked(adapters, 0, b), (long) count * rank, in),
            Torch.array(manager, WeightValues.stacked(adapters, b, m), (long) count * out, rank),
            Torch.array(manager, new float[] {(float) lora().scale()}, 1),
            Torch.array(manager, WeightValues.stacked(adapters, m, m + out), count, out),
            squares,
            manager)
        .ofAdapters(count);
  }

  /** The squared norm of each row of W, [out]. */
  private static float[] squares(BaseModel.Linear linear) {
    EncoderWeight weight = linear.weight();
    float[] squares = new float[weight.out()];
    boolean dense = linear.dense() != null;
    float[] rows = (dense ? linear.dense() : linear.factors().u()).toFloatArray();
    int width = rows.length / squares.length;
    for (int o = 0; o < squares.length; o++) {
      double square = 0;
      for (int i = 0; i < width; i++) {
        // The rows of Vᵀ are orthonormal, so W's have the norms of the rows of U diag(Σ).
        double value = rows[o * width + i] * (dense ? 1.0 : linear.sigma()[i]);
        square += value * value;
      }
      squares[o] = (float) square;
    }
    return squares;
  }

  @Override
  public Optional<ObjectNode> peftConfig(EncoderConfig config, UnaryOperator<String> module) {
    return Optional.of(Lora.peftConfig(rank, alpha).put("use_dora", true));
  }
}
