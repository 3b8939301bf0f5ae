package io.millrace.svft.method;

import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.JsonText;
import io.millrace.svft.tensor.SplitMix64;
import io.millrace.svft.tensor.Torch;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Householder reflection adaptation (Yuan et al., 2024, arXiv 2405.17484): W' = W H_1 ... H_rank
 * with the reflections H_i = I − 2 uᵢ uᵢᵀ / ‖uᵢ‖², whose vectors are trained.
 *
 * <p>The values of a weight are the vectors as the columns of a matrix [in, rank], under the name
 * of PEFT. They start in equal pairs, whose reflections cancel: W' is W. The first of a pair is
 * drawn uniformly from ±√(2 / rank), as in PEFT (He et al., 2015, with a = √5), by a generator
 * seeded with the weight's name.
 *
 * <p>The engine computes H_rank ... H_1 = I + U S Uᵀ (Schreiber and Van Loan, 1989), with the
 * vectors in that order as U's columns. S = −(½ I + T)⁻¹, where T has UᵀU above the diagonal.
 *
 * @param rank the number of reflections, even
 * @param weights the roles of the adapted weights
 */
public record Hra(int rank, Set<WeightRole> weights) implements AdapterMethod {
  private static final String ID = "hra";

  private static final MethodOption RANK =
      MethodOption.wholeNumber(
          "rank",
          8,
          2,
          1 << 10,
          MethodOption.Role.ARGUMENT,
          "The number of HRA's reflections, even.");

  static final MethodForm FORM =
      new MethodForm(
          ID,
          "reflections of the weights' inputs",
          List.of("hra:RANK      Householder reflections of each weight's inputs"),
          List.of(),
          List.of(RANK),
          true,
          text -> new Hra(text.wholeNumber(RANK), text.weights(WeightRole.all())));

  /**
   * @throws IllegalArgumentException if the rank is not even and positive, or no weight is adapted
   */
  public Hra {
    if (rank < 2 || rank % 2 != 0) {
      throw new IllegalArgumentException(
          "hra: rank is " + rank + ", and must be even: reflections start in pairs that cancel");
    }
    weights = AdapterMethod.inOrder(ID, weights);
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
    return 3e-3;
  }

  @Override
  public boolean groups() {
    return false;
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    return List.of(new ValueTensor(".hra_u", weight.in(), rank));
  }

  @Override
  public void initialize(BaseModel.Linear linear, float[] values) {
    double bound = StrictMath.sqrt(2.0 / rank);
    SplitMix64 draws = SplitMix64.seededBy(linear.weight().name());
    for (int k = 0; k < values.length; k += 2) {
      values[k] = draws.nextWithin(bound);
      values[k + 1] = values[k];
    }
  }

  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    int in = linear.weight().in();
    Reflections reflections = new Reflections(adapters.get(0).values(), in, rank);
    return LinearProduct.reflected(
        linear,
        Torch.array(manager, reflections.u(), in, rank),
        Torch.array(manager, reflections.s(), rank, rank),
        reflections::gradient,
        in * rank,
        manager);
  }

  @Override
  public Optional<ObjectNode> peftConfig(EncoderConfig config, UnaryOperator<String> module) {
    return Optional.of(
        JsonText.object()
            .put("peft_type", "HRA")
            .put("r", rank)
            .put("apply_GS", false)
            .put("bias", "none")
            .put("init_weights", true));
  }
}
