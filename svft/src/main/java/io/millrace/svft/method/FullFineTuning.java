package io.millrace.svft.method;

import ai.djl.ndarray.NDManager;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Full fine-tuning of linear weights: every value of an adapted W is trained, starting from the
 * base model. Embeddings, biases and normalisations are frozen.
 *
 * @param weights the roles of the adapted weights
 */
public record FullFineTuning(Set<WeightRole> weights) implements AdapterMethod {
  private static final String ID = "full";

  static final MethodForm FORM =
      new MethodForm(
          ID,
          "the weights themselves",
          List.of("full          the adapted weights themselves"),
          List.of(),
          List.of(),
          true,
          text -> new FullFineTuning(text.weights(WeightRole.all())));

  /**
   * @throws IllegalArgumentException if no weight is adapted
   */
  public FullFineTuning {
    weights = AdapterMethod.inOrder(ID, weights);
  }

  /** Adapts all six roles. */
  public FullFineTuning() {
    this(WeightRole.all());
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
    return 2e-5;
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    return List.of(new ValueTensor(".weight", weight.out(), weight.in()));
  }

  @Override
  public void initialize(BaseModel.Linear linear, float[] values) {
    if (linear.dense() == null) {
      throw new AdapterException(
          "the base model was loaded with the singular basis of %s, not with the weight itself"
              .formatted(linear.weight().name()));
    }
    float[] w = linear.dense().toFloatArray();
    System.arraycopy(w, 0, values, 0, w.length);
  }

  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    EncoderWeight weight = linear.weight();
    int count = adapters.size();
    int size = weight.out() * weight.in();
    return LinearProduct.denseTrained(
            WeightValues.array(
                adapters, 0, size, manager, (long) count * weight.out(), weight.in()),
            linear.bias())
        .ofAdapters(count);
  }
}
