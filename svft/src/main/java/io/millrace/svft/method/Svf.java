package io.millrace.svft.method;

import ai.djl.ndarray.NDManager;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Singular value fine-tuning: only the singular values are trained, W' = U (diag(Σ) + diag(m)) Vᵀ.
 * It is {@link Svft} with the plain pattern over all directions, under the name that the literature
 * gives it; values, payload tensors and results are the same.
 *
 * @param weights the adapted weights
 */
public record Svf(Set<WeightRole> weights) implements AdapterMethod {
  private static final String ID = "svf";

  static final MethodForm FORM =
      new MethodForm(
          ID,
          "the singular values alone",
          List.of("svf           the singular values alone; the same as svft:plain"),
          List.of(),
          List.of(),
          true,
          text -> new Svf(text.weights(WeightRole.all())));

  /**
   * @throws IllegalArgumentException where no weight is adapted
   */
  public Svf {
    weights = AdapterMethod.inOrder(ID, weights);
  }

  private Svft plain() {
    return new Svft(new PlainPattern(), 0, weights);
  }

  @Override
  public MethodForm form() {
    return FORM;
  }

  @Override
  public String spec() {
    return ID + MethodText.weightsOption(weights, WeightRole.all());
  }

  @Override
  public Map<String, String> options() {
    return Map.of();
  }

  @Override
  public double learningRate() {
    return plain().learningRate();
  }

  @Override
  public Optional<Pattern> sparsity() {
    return plain().sparsity();
  }

  @Override
  public int directions(EncoderWeight weight) {
    return plain().directions(weight);
  }

  @Override
  public Set<WeightRole> factored() {
    return weights;
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    return plain().tensors(weight);
  }

  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    return plain().product(linear, adapters, manager);
  }
}
