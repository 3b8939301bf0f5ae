package io.millrace.svft.method;

import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.JsonText;
import io.millrace.svft.tensor.Torch;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Orthogonal fine-tuning (Qiu et al., 2023, arXiv 2306.07280): W' = W Rᵀ, where R is
 * block-diagonal. Each of its blocks is a rotation, Cayley's transform (I − X) (I + X)⁻¹ of a
 * skew-symmetric X whose entries above the diagonal are trained.
 *
 * <p>The values of a weight are these entries, row by row, [blocks, block (block − 1) / 2], under
 * the name of PEFT. They start at zero: R is the identity.
 *
 * @param block rows of a block; divides the inputs of every adapted weight
 * @param weights the roles of the adapted weights
 */
public record Oft(int block, Set<WeightRole> weights) implements AdapterMethod {
  private static final String ID = "oft";

  private static final MethodOption BLOCK =
      MethodOption.wholeNumber(
          "block",
          16,
          2,
          1 << 10,
          MethodOption.Role.ARGUMENT,
          "Rows of OFT's blocks; divides the inputs of every adapted weight.");

  static final MethodForm FORM =
      new MethodForm(
          ID,
          "rotations of blocks of the weights' inputs",
          List.of("oft:BLOCK     rotations of each weight's inputs, in blocks"),
          List.of(),
          List.of(BLOCK),
          true,
          text -> new Oft(text.wholeNumber(BLOCK), text.weights(WeightRole.all())));

  /**
   * @throws IllegalArgumentException if a block has less than two rows, or no weight is adapted
   */
  public Oft {
    if (block < 2) {
      throw new IllegalArgumentException("oft: block is " + block + ", and must be 2 or more");
    }
    weights = AdapterMethod.inOrder(ID, weights);
  }

  @Override
  public MethodForm form() {
    return FORM;
  }

  @Override
  public String spec() {
    return ID + ":" + block + MethodText.weightsOption(weights, WeightRole.all());
  }

  @Override
  public Map<String, String> options() {
    return Map.of(BLOCK.name(), Integer.toString(block));
  }

  @Override
  public double learningRate() {
    return 1e-3;
  }

  @Override
  public boolean groups() {
    return false;
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    int blocks = Butterfly.blocks(ID, weight, block, 1);
    return List.of(new ValueTensor(".oft_R.weight", blocks, block * (block - 1) / 2));
  }

  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    int in = linear.weight().in();
    float[] values = adapters.get(0).values();
    Cayley cayley = new Cayley(skew(values, in), block);
    Butterfly order = new Butterfly(in, block, 1);
    return LinearProduct.rotated(
        linear,
        Torch.array(manager, cayley.rotations(), in / block, block, block),
        Torch.array(manager, order.order()),
        Torch.array(manager, order.inverse()),
        (gradient, at, result, offset) -> chain(cayley, gradient, at, result, offset),
        values.length,
        manager);
  }

  private double[] skew(float[] values, int in) {
    double[] skew = new double[in * block];
    int next = 0;
    for (int at = 0; at < skew.length; at += block * block) {
      for (int i = 0; i < block; i++) {
        for (int j = i + 1; j < block; j++) {
          skew[at + i * block + j] = values[next];
          skew[at + j * block + i] = -values[next++];
        }
      }
    }
    return skew;
  }

  private void chain(Cayley cayley, float[] gradient, int from, float[] values, int offset) {
    double[] skew = cayley.gradient(gradient, from);
    int next = offset;
    for (int at = 0; at < skew.length; at += block * block) {
      for (int i = 0; i < block; i++) {
        for (int j = i + 1; j < block; j++) {
          values[next++] = (float) (skew[at + i * block + j] - skew[at + j * block + i]);
        }
      }
    }
  }

  @Override
  public Optional<ObjectNode> peftConfig(EncoderConfig config, UnaryOperator<String> module) {
    return Optional.of(
        JsonText.object()
            .put("peft_type", "OFT")
            .put("r", 0)
            .put("oft_block_size", block)
            .put("module_dropout", 0.0)
            .put("bias", "none")
            .put("fan_in_fan_out", false)
            .put("init_weights", true)
            .put("coft", false)
            .put("block_share", false)
            .put("use_cayley_neumann", false));
  }
}
