package io.millrace.svft.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import io.millrace.svft.tensor.TorchScript;
import java.util.HashMap;
import java.util.Map;
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

  /**
   * @param manager owns what is kept
   * @param script the model's program
   * @param config the model's shape
   */
  DerivedTensors(NDManager manager, TorchScript script, EncoderConfig config) {
    this.manager = manager;
    this.script = script;
    this.config = config;
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
    NDScope.unregister(computed);
    computed.attach(manager);
    kept.put(name, computed);
    return computed;
  }
}
