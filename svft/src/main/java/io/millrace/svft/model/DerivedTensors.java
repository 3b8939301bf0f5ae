package io.millrace.svft.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import io.millrace.svft.tensor.TorchScript;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Tensors that adapter methods compute from one linear weight and never change, such as a weight
 * without its leading singular directions. They are computed once per base model and not once per
 * step. Thread-safe.
 *
 * <p>At most {@value #MOST} are kept for each weight, as many as a process plausibly has settings
 * of such methods. Any further one is computed for each use.
 */
final class DerivedTensors {
  private static final int MOST = 12;

  private final NDManager manager;
  private final TorchScript script;
  private final EncoderConfig config;
  private final Map<String, NDArray> kept = new HashMap<>();
  private final Optional<Consumer<NDArray>> predictions;
  private NDArray whole;

  /**
   * @param manager owns what is kept
   * @param script the model's program
   * @param config the model's shape
   * @param predictions is told of a whole weight before its first use, in a process that predicts
   *     alone; else empty
   */
  DerivedTensors(
      NDManager manager,
      TorchScript script,
      EncoderConfig config,
      Optional<Consumer<NDArray>> predictions) {
    this.manager = manager;
    this.script = script;
    this.config = config;
    this.predictions = predictions;
  }

  TorchScript script() {
    return script;
  }

  EncoderConfig config() {
    return config;
  }

  /**
   * The tensor of a name.
   *
   * @param name says everything that the tensor depends on besides the weight
   * @param user owns the tensor if it is not kept, unless a scope of the caller does
   * @param made computes the tensor
   */
  synchronized NDArray get(String name, NDManager user, Supplier<NDArray> made) {
    NDArray known = kept.get(name);
    if (known != null) {
      return known;
    }
    NDArray computed = made.get();
    if (kept.size() == MOST) {
      computed.attach(user);
      return computed;
    }
    kept.put(name, keep(computed));
    return computed;
  }

  /** Whether the process predicts alone. */
  boolean forPredictions() {
    return predictions.isPresent();
  }

  /** Whether it is the tensor that {@link #whole(Supplier)} has returned. */
  synchronized boolean isWhole(NDArray array) {
    return whole != null && array == whole;
  }

  /** The weight itself, in a process that predicts alone, where it is held as its factors. */
  synchronized NDArray whole(Supplier<NDArray> made) {
    if (whole == null) {
      NDArray computed = keep(made.get());
      predictions.orElseThrow().accept(computed);
      whole = computed;
    }
    return whole;
  }

  private NDArray keep(NDArray computed) {
    NDScope.unregister(computed);
    computed.attach(manager);
    return computed;
  }
}
