package io.millrace.svft.method;

import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.JsonText;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.Torch;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Butterfly orthogonal fine-tuning (Liu et al., 2023, arXiv 2311.06243): W' = diag(s) W Qᵀ, where Q
 * is a product of factors that are block-diagonal between permutations ({@link Butterfly}). Each
 * block is a rotation, Cayley's transform (I − X) (I + X)⁻¹ of X = ½ (A − Aᵀ), where A and s are
 * trained.
 *
 * <p>The values of a weight are A [factors, blocks, block, block], then s [out, 1], under the names
 * of PEFT. A starts at zero and s at one: W' is W.
 *
 * @param block rows of a block; even if there are several factors
 * @param factors the number of factors; block · 2^(factors − 1) divides the inputs of every adapted
 *     weight
 * @param weights the roles of the adapted weights
 */
public record Boft(int block, int factors, Set<WeightRole> weights) implements AdapterMethod {
  private static final String ID = "boft";

  private static final MethodOption BLOCK =
      MethodOption.wholeNumber(
          "block", 4, 2, 1 << 10, MethodOption.Role.ARGUMENT, "Rows of BOFT's blocks.");

  private static final MethodOption FACTORS =
      MethodOption.wholeNumber(
          "factors",
          2,
          1,
          16,
          MethodOption.Role.DERIVED,
          "The number of BOFT's butterfly factors, m: blocks times 2 to the power of m - 1 divide the"
              + " inputs of every adapted weight.");

  static final MethodForm FORM =
      new MethodForm(
          ID,
          "rotations of the weights' inputs in butterfly factors, and scales of their outputs",
          List.of("boft:BLOCK    the same, in butterfly factors of such blocks"),
          List.of(";factors=N           boft: another number of factors than 2"),
          List.of(BLOCK, FACTORS),
          true,
          Boft::parse);

  /**
   * @throws IllegalArgumentException if a block has less than two rows, or an odd number and there
   *     are several factors, or no weight is adapted
   */
  public Boft {
    if (block < 2) {
      throw new IllegalArgumentException("boft: block is " + block + ", and must be 2 or more");
    }
    if (factors < 1 || factors > FACTORS.max()) {
      throw new IllegalArgumentException("boft: factors is " + factors + ", not from 1 to 16");
    }
    if (factors > 1 && block % 2 != 0) {
      throw new IllegalArgumentException(
          "boft: block is " + block + ", and must be even with more than one factor");
    }
    weights = AdapterMethod.inOrder(ID, weights);
  }

  private static AdapterMethod parse(MethodText text) {
    return new Boft(
        text.wholeNumber(BLOCK), text.wholeNumber(FACTORS), text.weights(WeightRole.all()));
  }

  @Override
  public MethodForm form() {
    return FORM;
  }

  @Override
  public String spec() {
    return ID
        + ":"
        + block
        + FACTORS.text(Integer.toString(factors))
        + MethodText.weightsOption(weights, WeightRole.all());
  }

  @Override
  public Map<String, String> options() {
    return Map.of(BLOCK.name(), Integer.toString(block), FACTORS.name(), Integer.toString(factors));
  }

  @Override
  public double learningRate() {
    return 2.5e-3;
  }

  @Override
  public boolean groups() {
    return false;
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    int blocks = Butterfly.blocks(ID, weight, block, factors);
    return List.of(
        new ValueTensor(".boft_R", factors, blocks, block, block),
        new ValueTensor(".boft_s", weight.out(), 1));
  }

  @Override
  public void initialize(BaseModel.Linear linear, float[] values) {
    Arrays.fill(values, values.length - linear.weight().out(), values.length, 1);
  }

  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    int in = linear.weight().in();
    int out = linear.weight().out();
    float[] values = adapters.get(0).values();
    int size = values.length - out;
    Cayley cayley = new Cayley(skew(values, size, block), block);
    Butterfly order = new Butterfly(in, block, factors);
    return LinearProduct.rotatedAndScaled(
        linear,
        Torch.array(manager, cayley.rotations(), (long) factors * in / block, block, block),
        Torch.array(manager, order.order()),
        Torch.array(manager, order.inverse()),
        Torch.array(manager, Arrays.copyOfRange(values, size, values.length), 1, out),
        (gradient, at, result, offset) -> {
          chain(cayley, gradient, at, result, offset);
          System.arraycopy(gradient, at + size, result, offset + size, out);
        },
        values.length,
        manager);
  }

  private static double[] skew(float[] values, int size, int block) {
    double[] skew = new double[size];
    for (int at = 0; at < size; at += block * block) {
      for (int i = 0; i < block; i++) {
        for (int j = 0; j < block; j++) {
          double difference = (double) values[at + i * block + j] - values[at + j * block + i];
          skew[at + i * block + j] = difference / 2;
        }
      }
    }
    return skew;
  }

  private void chain(Cayley cayley, float[] gradient, int from, float[] values, int offset) {
    double[] skew = cayley.gradient(gradient, from);
    for (int at = 0; at < skew.length; at += block * block) {
      for (int i = 0; i < block; i++) {
        for (int j = 0; j < block; j++) {
          double difference = skew[at + i * block + j] - skew[at + j * block + i];
          values[offset + at + i * block + j] = (float) (difference / 2);
        }
      }
    }
  }

  /**
   * As one factor of larger blocks: on a processor, PEFT computes with one factor whatever its
   * configuration says.
   */
  @Override
  public Optional<ObjectNode> peftConfig(EncoderConfig config, UnaryOperator<String> module) {
    return Optional.of(
        JsonText.object()
            .put("peft_type", "BOFT")
            .put("boft_block_size", block << (factors - 1))
            .put("boft_block_num", 0)
            .put("boft_n_butterfly_factor", 1)
            .put("boft_dropout", 0.0)
            .put("bias", "none")
            .put("fan_in_fan_out", false)
            .put("init_weights", true));
  }

  @Override
  public List<Safetensors.Tensor> peftTensors(BaseModel.Linear linear, float[] values) {
    int in = linear.weight().in();
    int out = linear.weight().out();
    int size = values.length - out;
    int group = block << (factors - 1);
    float[] blocks =
        factors == 1 ? Arrays.copyOf(values, size) : oneFactor(linear.weight(), values, size);
    return List.of(
        new Safetensors.Tensor(".boft_R", new long[] {1, in / group, group, group}, blocks),
        new Safetensors.Tensor(
            ".boft_s", new long[] {out, 1}, Arrays.copyOfRange(values, size, values.length)));
  }

  /** The blocks [in / group, group, group] whose rotations are the product of all factors. */
  private float[] oneFactor(EncoderWeight weight, float[] values, int size) {
    int in = weight.in();
    int group = block << (factors - 1);
    double[] factor = new Cayley(skew(values, size, block), block).transformed();
    long[] order = new Butterfly(in, block, factors).order();
    double[] product = new double[in * group];
    for (int i = 0; i < in; i++) {
      product[i * group + i % group] = 1;
    }
    for (int f = 0; f < factors; f++) {
      product = times(factor, f * in, order, product, group);
    }
    double[] exact = new Cayley(product, group).transformed();
    float[] blocks = new float[exact.length];
    for (int k = 0; k < blocks.length; k++) {
      blocks[k] = (float) exact[k];
    }
    double[] again = new Cayley(skew(blocks, blocks.length, group), group).transformed();
    for (int k = 0; k < again.length; k++) {
      if (!(Math.abs(again[k] - product[k]) < 1e-5)) {
        throw new AdapterException(
            "boft: %s turns some inputs by nearly 180 degrees, which PEFT's form of one factor cannot hold: use --format huggingface"
                .formatted(weight.name()));
      }
    }
    return blocks;
  }

  /**
   * One factor, P D Pᵀ, times a matrix.
   *
   * @param d the blocks of all factors
   * @param at first input of this factor
   * @param matrix [in, group], the block-diagonal's rows
   */
  private double[] times(double[] d, int at, long[] order, double[] matrix, int group) {
    int in = matrix.length / group;
    double[] permuted = new double[matrix.length];
    for (int i = 0; i < in; i++) {
      System.arraycopy(matrix, i * group, permuted, (int) order[at + i] * group, group);
    }
    double[] product = new double[matrix.length];
    for (int i = 0; i < in; i++) {
      int to = (int) order[at + i];
      for (int k = 0; k < block; k++) {
        double factor = d[(at + to) * block + k];
        int row = (to / block * block + k) * group;
        for (int j = 0; j < group; j++) {
          product[i * group + j] += factor * permuted[row + j];
        }
      }
    }
    return product;
  }
}
