package io.millrace.svft.training;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.MethodForm;
import io.millrace.svft.method.ValueTensor;
import io.millrace.svft.method.Vera;
import io.millrace.svft.method.WeightValues;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * VeRA with the random factors of another implementation.
 *
 * @param a [rank, widest in]
 * @param b [widest out, rank]
 */
record GivenVera(Vera vera, Safetensors.Tensor a, Safetensors.Tensor b) implements AdapterMethod {
  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    int in = linear.weight().in();
    int out = linear.weight().out();
    int rank = vera.rank();
    int widest = (int) a.shape()[1];
    float[] columns = new float[rank * in];
    for (int r = 0; r < rank; r++) {
      System.arraycopy(a.values(), r * widest, columns, r * in, in);
    }
    NDArray own = Torch.array(manager, columns, rank, in);
    NDArray rows = Torch.array(manager, Arrays.copyOf(b.values(), out * rank), out, rank);
    return Vera.product(linear, own, rows, adapters, manager);
  }

  @Override
  public MethodForm form() {
    return vera.form();
  }

  @Override
  public String spec() {
    return vera.spec();
  }

  @Override
  public Map<String, String> options() {
    return vera.options();
  }

  @Override
  public Set<WeightRole> weights() {
    return vera.weights();
  }

  @Override
  public double learningRate() {
    return vera.learningRate();
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    return vera.tensors(weight);
  }

  @Override
  public Optional<ObjectNode> peftConfig(EncoderConfig config, UnaryOperator<String> module) {
    return vera.peftConfig(config, module);
  }

  @Override
  public List<Safetensors.Tensor> peftShared(EncoderConfig config) {
    List<Safetensors.Tensor> shared = new ArrayList<>();
    for (Safetensors.Tensor drawn : vera.peftShared(config)) {
      Safetensors.Tensor given = drawn.name().endsWith("A") ? a : b;
      shared.add(new Safetensors.Tensor(drawn.name(), drawn.shape(), given.values()));
    }
    return shared;
  }
}
