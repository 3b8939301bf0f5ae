package io.millrace.svft.method;

import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.JsonText;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Trains the weights and biases of all layer normalisations, that of the embeddings included
 * (LayerNorm tuning; Zhao et al., 2023, arXiv 2312.11420), starting from those of the base model.
 */
public record LayerNormTuning() implements AdapterMethod {
  static final MethodForm FORM =
      new MethodForm(
          "norms",
          "the layer normalizations",
          List.of("norms         the weights and biases of the layer normalizations"),
          List.of(),
          List.of(),
          false,
          text -> new LayerNormTuning());

  @Override
  public MethodForm form() {
    return FORM;
  }

  @Override
  public String spec() {
    return id();
  }

  @Override
  public Map<String, String> options() {
    return Map.of();
  }

  @Override
  public Set<WeightRole> weights() {
    return Set.of();
  }

  @Override
  public double learningRate() {
    return 2.5e-3;
  }

  @Override
  public boolean trainsNorms() {
    return true;
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    return List.of();
  }

  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    return LinearProduct.frozen(linear, manager);
  }

  @Override
  public Optional<ObjectNode> peftConfig(EncoderConfig config, UnaryOperator<String> module) {
    return Optional.of(JsonText.object().put("peft_type", "LN_TUNING"));
  }
}
