package io.millrace.svft.method;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.JsonText;
import io.millrace.svft.tensor.Torch;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * (IA)³ (Liu et al., 2022, arXiv 2205.05638): a trained vector scales the outputs of a frozen
 * weight, its bias included, y = l · (W x + b). For the second weight of the feed-forward block it
 * scales the inputs, y = W (l · x) + b, and so the activations between the two.
 *
 * <p>The values of a weight are l, which starts at one. The tensor has the name and the shape of
 * PEFT's: [out, 1], or [1, in] for inputs.
 *
 * @param weights the roles of the adapted weights
 */
public record Ia3(Set<WeightRole> weights) implements AdapterMethod {
  private static final String ID = "ia3";

  private static final Set<WeightRole> DEFAULT =
      EnumSet.of(WeightRole.KEY, WeightRole.VALUE, WeightRole.OUTPUT);

  static final MethodForm FORM =
      new MethodForm(
          ID,
          "vectors that scale keys, values and activations",
          List.of("ia3           a vector per weight that scales outputs, of output inputs"),
          List.of(),
          List.of(),
          true,
          text -> new Ia3(text.weights(DEFAULT)));

  /**
   * @throws IllegalArgumentException if no weight is adapted
   */
  public Ia3 {
    weights = AdapterMethod.inOrder(ID, weights);
  }

  @Override
  public MethodForm form() {
    return FORM;
  }

  @Override
  public String spec() {
    return ID + MethodText.weightsOption(weights, DEFAULT);
  }

  @Override
  public Map<String, String> options() {
    return Map.of();
  }

  @Override
  public double learningRate() {
    return 7.5e-3;
  }

  private static boolean scalesInputs(EncoderWeight weight) {
    return weight.role() == WeightRole.OUTPUT;
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    return List.of(
        scalesInputs(weight)
            ? new ValueTensor(".ia3_l", 1, weight.in())
            : new ValueTensor(".ia3_l", weight.out(), 1));
  }

  @Override
  public void initialize(BaseModel.Linear linear, float[] values) {
    Arrays.fill(values, 1);
  }

  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    int count = adapters.size();
    int size = adapters.get(0).values().length;
    NDArray l = Torch.array(manager, WeightValues.stacked(adapters, 0, size), count, size);
    LinearProduct product =
        scalesInputs(linear.weight())
            ? LinearProduct.inputScaled(linear, l, manager)
            : LinearProduct.scaled(linear, l, manager);
    return product.ofAdapters(count);
  }

  @Override
  public Optional<ObjectNode> peftConfig(EncoderConfig config, UnaryOperator<String> module) {
    ObjectNode json =
        JsonText.object()
            .put("peft_type", "IA3")
            .put("fan_in_fan_out", false)
            .put("init_ia3_weights", true);
    ArrayNode inputs = json.putArray("feedforward_modules");
    for (EncoderWeight weight : config.weights()) {
      if (weights.contains(weight.role()) && scalesInputs(weight)) {
        inputs.add(module.apply(weight.name()));
      }
    }
    return Optional.of(json);
  }
}
