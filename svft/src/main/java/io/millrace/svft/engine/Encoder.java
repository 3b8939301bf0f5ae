package io.millrace.svft.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.IValue;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.tensor.TorchScript;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs slices of a batch through an adapted model. {@code encoder.py} holds the computation.
 *
 * <p>All arrays created here belong to the caller's {@link ai.djl.ndarray.NDScope}.
 */
public final class Encoder {
  private final TorchScript script;
  private final NDManager manager;
  private final EncoderConfig config;
  private final Kernels kernels;

  public Encoder(BaseModel base) {
    this.script = base.script();
    this.manager = base.manager();
    this.config = base.config();
    this.kernels = base.kernels();
  }

  /**
   * Computes one vector per sequence.
   *
   * @return [sequences, hidden]
   */
  public NDArray embed(TokenBatch slice, AdaptedModel model) {
    try (IValue batch = batch(slice);
        IValue heads = IValue.from((long) config.heads());
        IValue epsilon = IValue.from((double) config.layerNormEps())) {
      return script.call("embed", model.arguments(batch, heads, epsilon)).get(0);
    }
  }

  /**
   * Scores a slice and computes its gradients.
   *
   * @param task the method of the program that scores a slice
   * @param headWeight [labels, hidden]
   * @param headBias [labels]
   * @param target [sequences, labels]: each example's share of the batch's loss at its label, zero
   *     elsewhere
   * @return logits [sequences, labels]; loss []; the gradients of the head's weight [labels,
   *     hidden] and bias [labels]; and, if the model has trained products, their gradients, flat
   */
  public List<NDArray> step(
      String task,
      TokenBatch slice,
      AdaptedModel model,
      NDArray headWeight,
      NDArray headBias,
      NDArray target) {
    try (IValue batch = batch(slice);
        IValue heads = IValue.from((long) config.heads());
        IValue epsilon = IValue.from((double) config.layerNormEps());
        IValue head = TorchScript.tensors(List.of(headWeight, headBias));
        IValue targets = TorchScript.tensor(target);
        IValue lowest = IValue.from((long) model.lowest())) {
      return script.call(task, model.arguments(batch, heads, epsilon, head, targets, lowest));
    }
  }

  private IValue batch(TokenBatch slice) {
    int heads = config.heads();
    int rows = kernels.rows(slice.tokens());
    int places = kernels.places(slice.places());
    List<NDArray> arrays = new ArrayList<>();
    arrays.add(Torch.array(manager, slice.packedIds(rows)));
    arrays.add(Torch.array(manager, slice.packedPositions(config, rows)));
    arrays.add(Torch.array(manager, slice.padFrom(heads, places)));
    arrays.add(Torch.array(manager, slice.packFrom(heads, places)));
    arrays.add(
        Torch.array(
            manager, slice.maskBias(heads, places), (long) slice.sequences() * heads, 1, places));
    arrays.add(
        Torch.array(manager, slice.pooling(config.pooling(), rows), slice.sequences(), rows));
    return TorchScript.tensors(arrays);
  }
}
