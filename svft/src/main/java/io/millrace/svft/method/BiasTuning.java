package io.millrace.svft.method;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.Torch;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Trains the biases of linear weights alone (BitFit; Ben Zaken et al., 2021, arXiv 2106.10199),
 * starting from those of the base model.
 *
 * @param weights the roles of the weights whose biases are trained
 */
public record BiasTuning(Set<WeightRole> weights) implements AdapterMethod {
  private static final String ID = "bias";

  static final MethodForm FORM =
      new MethodForm(
          ID,
          "the biases of the weights",
          List.of("bias          the biases of the weights"),
          List.of(),
          List.of(),
          true,
          text -> new BiasTuning(text.weights(WeightRole.all())));

  /**
   * @throws IllegalArgumentException if no weight is adapted
   */
  public BiasTuning {
    weights = AdapterMethod.inOrder(ID, weights);
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
    return 2.5e-3;
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    return List.of(new ValueTensor(".bias", weight.out()));
  }

  @Override
  public void initialize(BaseModel.Linear linear, float[] values) {
    System.arraycopy(linear.bias().toFloatArray(), 0, values, 0, values.length);
  }

  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    int count = adapters.size();
    int out = linear.weight().out();
    NDArray b = Torch.array(manager, WeightValues.stacked(adapters, 0, out), count, out);
    return LinearProduct.biased(linear, b, manager).ofAdapters(count);
  }
}
