package io.millrace.svft.method;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.Torch;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * LoRA-XS (Bałazy et al., 2024, arXiv 2405.17604): W' = W + U_r diag(Σ_r) R V_rᵀ, where U_r, Σ_r
 * and V_r are the leading singular directions of W and R [rank, rank] is trained. Unlike {@link
 * Svft} with a truncated basis, W keeps the other directions.
 *
 * <p>The values of a weight are those of R, which starts at zero.
 *
 * @param rank rows and columns of R; a weight with fewer singular directions has as many as those
 * @param weights the roles of the adapted weights
 */
public record LoraXs(int rank, Set<WeightRole> weights) implements AdapterMethod {
  private static final String ID = "lora-xs";

  private static final MethodOption RANK =
      MethodOption.wholeNumber(
          "rank",
          16,
          1,
          1 << 15,
          MethodOption.Role.ARGUMENT,
          "LoRA-XS's rank: rows and columns of its matrix among the leading singular directions.");

  static final MethodForm FORM =
      new MethodForm(
          ID,
          "a dense matrix among the leading singular directions",
          List.of("lora-xs:RANK  a dense matrix among the leading singular directions"),
          List.of(),
          List.of(RANK),
          true,
          text -> new LoraXs(text.wholeNumber(RANK), text.weights(WeightRole.all())));

  /**
   * @throws IllegalArgumentException if the rank is not positive, or no weight is adapted
   */
  public LoraXs {
    if (rank < 1) {
      throw new IllegalArgumentException("lora-xs: rank is " + rank + ", and must be positive");
    }
    weights = AdapterMethod.inOrder(ID, weights);
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
    return ID + ":" + rank + MethodText.weightsOption(weights, WeightRole.all());
  }

  @Override
  public Map<String, String> options() {
    return Map.of(RANK.name(), Integer.toString(rank));
  }

  @Override
  public double learningRate() {
    return 2e-3;
  }

  @Override
  public Set<WeightRole> factored() {
    return weights;
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    return List.of(new ValueTensor(".lora_xs_R", rank(weight), rank(weight)));
  }

  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    Svft.requireFactors(linear);
    int r = rank(linear.weight());
    int count = adapters.size();
    String of = " of the " + r + " leading directions";
    NDArray vt = linear.derived("Vt" + of, manager, () -> vt(linear, r, manager));
    NDArray us = linear.derived("U diag(S)" + of, manager, () -> us(linear, r, manager));
    // One product with W costs less than two with its factors.
    NDArray w = linear.composed("all directions", linear.sigma(), manager);
    float[] m = WeightValues.stacked(adapters, 0, r * r);
    return LinearProduct.dense(w, linear.bias())
        .plusCore(vt, us, Torch.array(manager, m, (long) count * r, r))
        .ofAdapters(count);
  }

  private static NDArray vt(BaseModel.Linear linear, int r, NDManager manager) {
    int in = linear.weight().in();
    float[] leading = Arrays.copyOf(linear.factors().vt().toFloatArray(), r * in);
    return Torch.array(manager, leading, r, in);
  }

  private static NDArray us(BaseModel.Linear linear, int r, NDManager manager) {
    EncoderWeight weight = linear.weight();
    float[] u = linear.factors().u().toFloatArray();
    float[] leading = new float[weight.out() * r];
    for (int o = 0; o < weight.out(); o++) {
      for (int k = 0; k < r; k++) {
        leading[o * r + k] = u[o * weight.rank() + k] * linear.sigma()[k];
      }
    }
    return Torch.array(manager, leading, weight.out(), r);
  }
}
