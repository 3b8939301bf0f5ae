package io.millrace.svft.method;

import ai.djl.ndarray.NDManager;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.Torch;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;

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
    return 1e-3;
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
    Cayley cayley = new Cayley(skew(values, size), block);
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

  private double[] skew(float[] values, int size) {
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
}
