package io.millrace.svft.method;

import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.Safetensors;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * An adapter method: what is trained besides the head, which every method trains.
 *
 * <p>A method defines everything that is specific to it: the number, names and initial values of
 * its trainable values, the products that the engine computes, the order of its gradients, and its
 * default learning rate. The rest of the system uses methods through this interface alone. {@link
 * AdapterMethods} lists them.
 */
public interface AdapterMethod extends Serializable {

  /** The form in which users write this method. */
  MethodForm form();

  /** The method without its settings: {@code svft}, {@code lora}, {@code full}, {@code head}. */
  default String id() {
    return form().id();
  }

  /**
   * The canonical text of this method and its settings, one line. {@link #parse} is the inverse.
   */
  String spec();

  /** The values of the form's options, by name. */
  Map<String, String> options();

  /**
   * The roles of the linear weights that are adapted in every layer, in the order of {@link
   * WeightRole}.
   */
  Set<WeightRole> weights();

  /** The default of AdamW's learning rate for the adapter's values. */
  double learningRate();

  /**
   * The tensors of one adapted weight's trainable values, in their order in the adapter's flat
   * array. The payload has the same tensors.
   */
  List<ValueTensor> tensors(EncoderWeight weight);

  /**
   * Initializes one weight's values. The model with the initial values is the base model, unless a
   * method truncates the singular basis.
   *
   * @param linear the weight in the base model
   * @param values receives the values of {@link #tensors}, one tensor after the other; zero on
   *     entry
   * @throws AdapterException if the base model was not loaded as {@link #factored} demands
   */
  default void initialize(BaseModel.Linear linear, float[] values) {}

  /**
   * The product with which the engine computes one adapted weight.
   *
   * @param linear the weight in the base model
   * @param adapters the values of this weight in each adapter, at least one; all with positions, or
   *     all without
   * @param manager owns the arrays created here, unless a scope of the caller does
   * @throws AdapterException if the base model was not loaded as {@link #factored} demands
   */
  LinearProduct product(BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager);

  /**
   * Whether the weights and biases of all layer normalisations are trained, too. They start as
   * those of the base model.
   */
  default boolean trainsNorms() {
    return false;
  }

  /** Whether it trains values besides the head. */
  default boolean trains() {
    return !weights().isEmpty() || trainsNorms();
  }

  /**
   * Whether {@link #product} takes several adapters. If not, steps and predictions of different
   * adapters share no pass.
   */
  default boolean groups() {
    return true;
  }

  /** The roles of the adapted weights that this method needs as their factors U, Σ, Vᵀ. */
  default Set<WeightRole> factored() {
    return Set.of();
  }

  /** The pattern of the trained values of a sparse M; empty for a method without M. */
  default Optional<Pattern> sparsity() {
    return Optional.empty();
  }

  /** The {@link Pattern#id} of {@link #sparsity}; empty for a method without M. */
  default String patternId() {
    return sparsity().map(Pattern::id).orElse("");
  }

  /** The number of rows and columns of M for a weight; 0 for a method without M. */
  default int directions(EncoderWeight weight) {
    return 0;
  }

  /**
   * The fields of {@code adapter_config.json} with which Hugging Face PEFT has this method, {@code
   * peft_type} among them, without those that name what is adapted; empty if PEFT has no such
   * method. The text is that of PEFT 0.21.
   *
   * @param config the shape of the encoder
   * @param module the module in the model that PEFT adapts, by its name in the encoder
   */
  default Optional<ObjectNode> peftConfig(EncoderConfig config, UnaryOperator<String> module) {
    return Optional.empty();
  }

  /**
   * One adapted weight's tensors as PEFT's file has them for {@link #peftConfig}, each named by
   * what follows the module's name. By default, they are those of {@link #tensors}.
   *
   * @param linear the weight in the base model
   * @param values its values, in the order of {@link #tensors}
   * @throws AdapterException if PEFT cannot hold the values
   */
  default List<Safetensors.Tensor> peftTensors(BaseModel.Linear linear, float[] values) {
    List<Safetensors.Tensor> tensors = new ArrayList<>();
    int from = 0;
    for (ValueTensor tensor : tensors(linear.weight())) {
      int to = from + (int) tensor.size();
      float[] own = Arrays.copyOfRange(values, from, to);
      tensors.add(new Safetensors.Tensor(tensor.suffix(), tensor.shape(), own));
      from = to;
    }
    return tensors;
  }

  /**
   * The tensors that all adapted weights share in PEFT's file, named by what follows {@code
   * base_model}.
   *
   * @param config the shape of the encoder
   */
  default List<Safetensors.Tensor> peftShared(EncoderConfig config) {
    return List.of();
  }

  /**
   * A warning, one sentence, to show before training with this method; empty if there is none.
   *
   * @throws io.millrace.svft.model.ModelException if the model's files cannot be read
   */
  default Optional<String> warning(ModelFiles model) {
    return Optional.empty();
  }

  /**
   * Parses a method: any {@link #spec}, or a text that omits settings. Defaults: {@code svft} is
   * plain over all singular directions; LoRA's rank is 8 and its alpha twice the rank; the weights
   * are all six roles, for top-k the four square ones.
   *
   * @throws IllegalArgumentException if no method has this form, or the method refuses the settings
   */
  static AdapterMethod parse(String text) {
    return AdapterMethods.parse(text);
  }

  /**
   * Sorts weights into the order of {@link WeightRole}.
   *
   * @throws IllegalArgumentException if there are none
   */
  static Set<WeightRole> inOrder(String method, Set<WeightRole> weights) {
    if (weights.isEmpty()) {
      throw new IllegalArgumentException(
          method + ": no weight to adapt; to train the head alone, the method is head");
    }
    return Collections.unmodifiableSet(EnumSet.copyOf(weights));
  }
}
