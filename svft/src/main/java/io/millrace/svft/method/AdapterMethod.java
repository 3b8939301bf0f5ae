package io.millrace.svft.method;

import ai.djl.ndarray.NDManager;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.WeightRole;
import java.io.Serializable;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What is trained beside the classification head, which every method trains.
 *
 * <p>A method owns all that belongs to it: the number and the names of its values, how they start,
 * the products that the engine runs, the order of its gradients, and its default rate. The rest of
 * the system asks it through this interface. {@link AdapterMethods} lists the methods.
 */
public interface AdapterMethod extends Serializable {

  /** How users write this method. */
  MethodForm form();

  /** The method without its settings: {@code svft}, {@code lora}, {@code full}, {@code head}. */
  default String id() {
    return form().id();
  }

  /** The canonical text: one line that holds every setting. {@link #parse} is its inverse. */
  String spec();

  /** The values of the form's options, by their names. */
  Map<String, String> options();

  /** Which linear weights of every layer are adapted, in the order of the roles. */
  Set<WeightRole> weights();

  /** AdamW's rate for the adapter's values, unless the user sets another. */
  double learningRate();

  /**
   * The tensors of one adapted weight's trainable values, in the order in which the values lie in
   * the adapter's flat array. They are also the tensors of the payload.
   */
  List<ValueTensor> tensors(EncoderWeight weight);

  /**
   * Writes one weight's values before the first step. The model is then the base model.
   *
   * @param linear the base model's
   * @param values [the tensors' values, one after the other], zero
   * @throws AdapterException where the base model was loaded in another form than {@link #factored}
   *     asks for
   */
  default void initialize(BaseModel.Linear linear, float[] values) {}

  /**
   * How the engine computes with one adapted weight.
   *
   * @param linear the base model's
   * @param positions where M's values lie; empty for a method without M, and while a gradient
   *     pattern's positions are still to be chosen
   * @param values the weight's own, as {@link #initialize} has them; none while positions are to be
   *     chosen
   * @param manager owns the arrays made here, unless a scope of the caller does
   * @throws AdapterException where the base model was loaded in another form than {@link #factored}
   *     asks for
   */
  LinearProduct product(
      BaseModel.Linear linear, Optional<Positions> positions, float[] values, NDManager manager);

  /** The adapted weights that this method needs as their factors U, Σ, Vᵀ. */
  default Set<WeightRole> factored() {
    return Set.of();
  }

  /** Which values of a sparse M are trained; empty for a method without M. */
  default Optional<Pattern> sparsity() {
    return Optional.empty();
  }

  /** The {@link Pattern#id} of {@link #sparsity}; empty for a method without M. */
  default String patternId() {
    return sparsity().map(Pattern::id).orElse("");
  }

  /** Rows and columns of M for a weight; 0 for a method without M. */
  default int directions(EncoderWeight weight) {
    return 0;
  }

  /**
   * A sentence for the user who is about to train with this method; empty where there is nothing to
   * say.
   *
   * @throws io.millrace.svft.model.ModelException where the model's files cannot be read
   */
  default Optional<String> warning(ModelFiles model) {
    return Optional.empty();
  }

  /**
   * The method of that text: any {@link #spec}, or one that leaves settings out. Then {@code svft}
   * is plain over all singular directions, LoRA's rank is 8 and its alpha twice the rank, and the
   * weights are all six roles, for top-k the four square ones.
   *
   * @throws IllegalArgumentException where no method has that form, or refuses its settings
   */
  static AdapterMethod parse(String text) {
    return AdapterMethods.parse(text);
  }

  /**
   * The weights in the order of the roles.
   *
   * @throws IllegalArgumentException where there are none
   */
  static Set<WeightRole> inOrder(String method, Set<WeightRole> weights) {
    if (weights.isEmpty()) {
      throw new IllegalArgumentException(
          method + ": no weight to adapt; to train the head alone, the method is head");
    }
    return Collections.unmodifiableSet(EnumSet.copyOf(weights));
  }
}
