package io.millrace.svft.method;

import ai.djl.ndarray.NDManager;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Trains the head alone, on a frozen encoder. */
public record HeadOnly() implements AdapterMethod {
  static final MethodForm FORM =
      new MethodForm(
          "head",
          "nothing",
          List.of("head          the classification head alone, which all others train too"),
          List.of(),
          List.of(),
          false,
          text -> new HeadOnly());

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

  /**
   * Has no effect, because the method has no values. Manifests record it with the value of {@code
   * full}.
   */
  @Override
  public double learningRate() {
    return 2e-5;
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
}
