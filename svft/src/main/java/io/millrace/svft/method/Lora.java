package io.millrace.svft.method;

import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.JsonText;
import io.millrace.svft.tensor.SplitMix64;
import io.millrace.svft.tensor.Torch;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Low-rank adaptation (Hu et al., 2021, arXiv 2106.09685): W' = W + c B A, where A [rank, in] and B
 * [out, rank] are trained. c is alpha / rank, or alpha / √rank, which keeps the size of the updates
 * at high ranks (rank-stabilized; Kalajdzievski, 2023, arXiv 2312.03732).
 *
 * <p>The values of a weight are A, then B. The tensors have the names of PEFT. B starts at zero. A
 * is drawn uniformly between −1/√in and 1/√in, as in PEFT (He et al., 2015, with a = √5), by a
 * generator seeded with the weight's name.
 *
 * @param rank rows of A
 * @param alpha numerator of the scale
 * @param scaling denominator of the scale
 * @param weights the roles of the adapted weights
 */
public record Lora(int rank, double alpha, Scaling scaling, Set<WeightRole> weights)
    implements AdapterMethod {
  private static final String ID = "lora";

  /** The denominator of the scale of B A. */
  public enum Scaling {
    /** alpha / rank. */
    RANK("rank"),
    /** alpha / √rank. */
    ROOT_RANK("root-rank");

    private final String id;

    Scaling(String id) {
      this.id = id;
    }

    static Scaling of(String id) {
      for (Scaling scaling : values()) {
        if (scaling.id.equals(id)) {
          return scaling;
        }
      }
      throw new IllegalArgumentException(
          "lora: unknown scaling \"" + id + "\": use rank or root-rank");
    }
  }

  private static final MethodOption RANK =
      MethodOption.wholeNumber("rank", 8, 1, 1 << 20, MethodOption.Role.ARGUMENT, "LoRA's rank.");

  private static final MethodOption ALPHA =
      MethodOption.decimal(
          "alpha",
          0,
          0,
          1e6,
          MethodOption.Role.DERIVED,
          "LoRA's alpha: its product is scaled by alpha over rank. 0 is twice the rank.");

  private static final MethodOption SCALING =
      MethodOption.text(
          "scaling",
          Scaling.RANK.id,
          MethodOption.Role.DERIVED,
          "What LoRA divides alpha by: rank, or root-rank, its square root, which suits high ranks"
              + " (rank-stabilized LoRA).");

  static final MethodForm FORM =
      new MethodForm(
          ID,
          "two low-rank factors",
          List.of("lora:RANK     two low-rank factors per weight; alpha is twice the rank"),
          List.of(
              ";alpha=N             lora: another alpha",
              ";scaling=root-rank   lora: alpha over the square root of the rank"),
          List.of(RANK, ALPHA, SCALING),
          true,
          Lora::parse);

  /**
   * @throws IllegalArgumentException if rank or alpha is not positive, alpha is not finite, or no
   *     weight is adapted
   */
  public Lora {
    requirePositive(ID, rank, alpha);
    weights = AdapterMethod.inOrder(ID, weights);
  }

  /** Adapts all six roles with alpha twice the rank, a scale of 2 at every rank. */
  public Lora(int rank) {
    this(rank, 2.0 * rank, Scaling.RANK, WeightRole.all());
  }

  private static AdapterMethod parse(MethodText text) {
    int rank = text.wholeNumber(RANK);
    double alpha = text.decimal(ALPHA).orElse(2.0 * rank);
    Scaling scaling = Scaling.of(text.value(SCALING));
    return new Lora(rank, alpha, scaling, text.weights(WeightRole.all()));
  }

  /**
   * Checks the rank and the alpha of two low-rank factors.
   *
   * @param method its id, for the message
   * @throws IllegalArgumentException if one is not positive, or alpha is not finite
   */
  static void requirePositive(String method, int rank, double alpha) {
    if (rank < 1) {
      throw new IllegalArgumentException(method + ": rank is " + rank + ", and must be positive");
    }
    if (!(alpha > 0 && alpha <= Double.MAX_VALUE)) {
      throw new IllegalArgumentException(
          method + ": alpha is " + alpha + ", and must be positive and finite");
    }
  }

  /** The factor c of B A. */
  public double scale() {
    return switch (scaling) {
      case RANK -> alpha / rank;
      case ROOT_RANK -> alpha / StrictMath.sqrt(rank);
    };
  }

  @Override
  public MethodForm form() {
    return FORM;
  }

  @Override
  public String spec() {
    return ID
        + ":"
        + rank
        + ";alpha="
        + MethodText.plain(alpha)
        + SCALING.text(scaling.id)
        + MethodText.weightsOption(weights, WeightRole.all());
  }

  @Override
  public Map<String, String> options() {
    return Map.of(
        RANK.name(),
        Integer.toString(rank),
        ALPHA.name(),
        Double.toString(alpha),
        SCALING.name(),
        scaling.id);
  }

  @Override
  public double learningRate() {
    return 5e-4;
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    return List.of(
        new ValueTensor(".lora_A.weight", rank, weight.in()),
        new ValueTensor(".lora_B.weight", weight.out(), rank));
  }

  @Override
  public void initialize(BaseModel.Linear linear, float[] values) {
    int in = linear.weight().in();
    double bound = 1 / StrictMath.sqrt(in);
    SplitMix64 draws = SplitMix64.seededBy(linear.weight().name());
    for (int i = 0; i < rank * in; i++) {
      values[i] = draws.nextWithin(bound);
    }
  }

  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    LinearProduct frozen = LinearProduct.frozen(linear, manager);
    return plusLowRank(frozen, linear.weight(), rank, scale(), adapters, manager);
  }

  /**
   * A frozen product plus c B A of several adapters, whose values are A [rank, in], then B [out,
   * rank].
   */
  static LinearProduct plusLowRank(
      LinearProduct frozen,
      EncoderWeight weight,
      int rank,
      double c,
      List<WeightValues> adapters,
      NDManager manager) {
    int in = weight.in();
    int out = weight.out();
    int count = adapters.size();
    int size = rank * in;
    float[] a = WeightValues.stacked(adapters, 0, size);
    float[] b = WeightValues.stacked(adapters, size, size + out * rank);
    return frozen
        .plusLowRank(
            Torch.array(manager, a, (long) count * rank, in),
            Torch.array(manager, b, (long) count * out, rank),
            Torch.array(manager, new float[] {(float) c}, 1))
        .ofAdapters(count);
  }

  @Override
  public Optional<ObjectNode> peftConfig(EncoderConfig config, UnaryOperator<String> module) {
    return Optional.of(peftConfig(rank, alpha).put("use_rslora", scaling == Scaling.ROOT_RANK));
  }

  /** The fields that all methods with two low-rank factors have in PEFT. */
  static ObjectNode peftConfig(int rank, double alpha) {
    ObjectNode json = JsonText.object().put("peft_type", "LORA").put("r", rank);
    // PEFT declares a whole number, and takes any.
    if (alpha == Math.rint(alpha)) {
      json.put("lora_alpha", (long) alpha);
    } else {
      json.put("lora_alpha", alpha);
    }
    return json.put("lora_dropout", 0.0)
        .put("bias", "none")
        .put("fan_in_fan_out", false)
        .put("init_lora_weights", true)
        .put("use_rslora", false)
        .put("use_dora", false);
  }
}
