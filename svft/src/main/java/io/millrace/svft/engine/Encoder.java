package io.millrace.svft.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.IValue;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.tensor.BatchLayout;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.tensor.TorchScript;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;

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
    try (Arguments laidOut = new Arguments(slice, model)) {
      return script.call("embed", model.arguments(laidOut.all)).get(0);
    }
  }

  /**
   * Scores a slice.
   *
   * @param heads of each adapter the weight [labels, hidden] and the bias [labels]
   * @return the logits of each segment [sequences, labels], flat, segment after segment
   */
  public NDArray logits(TokenBatch slice, AdaptedModel model, List<NDArray> heads) {
    try (Arguments laidOut = new Arguments(slice, model);
        IValue head = TorchScript.tensors(heads)) {
      return script.call("logits", model.arguments(laidOut.all, head)).get(0);
    }
  }

  /**
   * Scores a slice and computes its gradients.
   *
   * @param task the method of the program that scores a slice
   * @param heads of each segment the weight [labels, hidden] and the bias [labels]
   * @param targets of each segment [sequences, labels]: each example's share of its batch's loss at
   *     its label, zero elsewhere
   * @param limit of the sequences with a smaller error, a sample goes through the backward pass:
   *     see {@code sampling.py}; 0 for all of them, as the layout {@link BatchLayout#SLICES}
   *     demands
   * @param draws of each segment, a number drawn uniformly from [0, 1), which chooses the sequences
   * @return logits, losses, the gradients of the heads' weights and of their biases, the pooled
   *     vectors, and, if the model has trained products, their gradients; each flat, segment after
   *     segment
   */
  public List<NDArray> step(
      String task,
      TokenBatch slice,
      AdaptedModel model,
      List<NDArray> heads,
      List<NDArray> targets,
      double limit,
      float[] draws) {
    try (Arguments laidOut = new Arguments(slice, model);
        IValue head = TorchScript.tensors(heads);
        IValue target = TorchScript.tensors(targets);
        IValue lowest = IValue.from((long) model.lowest());
        IValue smaller = IValue.from(limit);
        IValue drawn = TorchScript.tensor(Torch.array(manager, draws, draws.length));
        IValue least = IValue.from((long) kernels.rows(slice.leastRows()));
        IValue multiple = IValue.from((long) kernels.rowMultiple());
        IValue size = IValue.from((long) model.gradientSize())) {
      return script.call(
          task,
          model.arguments(
              laidOut.all,
              head,
              target,
              lowest,
              smaller,
              drawn,
              least,
              multiple,
              size,
              model.backs()));
    }
  }

  /** A slice as the first arguments of a pass in {@code encoder.py}. */
  private final class Arguments implements AutoCloseable {
    private final List<IValue> all = new ArrayList<>();

    Arguments(TokenBatch slice, AdaptedModel model) {
      int heads = config.heads();
      int rows = slice.rows(kernels);
      List<TokenBatch.SizeClass> classes = slice.classes(kernels);
      all.add(
          TorchScript.tensors(
              List.of(
                  array(slice.packedIds(rows)),
                  array(slice.packedPositions(config, rows)),
                  array(slice.padFrom(heads, classes)),
                  array(slice.packFrom(heads, classes)),
                  array(slice.maskBias(heads, classes)),
                  array(slice.adapters(rows)))));
      all.add(TorchScript.tensors(pooling(slice, classes, rows)));
      all.add(
          TorchScript.numbers(
              List.of(
                  classes.stream()
                      .flatMapToLong(each -> LongStream.of(each.sequences().size(), each.places()))
                      .toArray(),
                  slice.rowCuts(kernels),
                  slice.owners(),
                  slice.sequenceCuts(),
                  new long[] {model.adapters()})));
      all.add(IValue.from((long) heads));
      all.add(IValue.from((double) config.layerNormEps()));
    }

    private List<NDArray> pooling(TokenBatch slice, List<TokenBatch.SizeClass> classes, int rows) {
      Pooling how = config.pooling();
      if (slice.layout() == BatchLayout.SLICES) {
        return List.of(Torch.array(manager, slice.pooling(how, rows), slice.sequences(), rows));
      }
      return List.of(
          array(slice.padFrom(1, classes)),
          array(slice.placeWeights(how, classes)),
          array(slice.placeOfSequence(classes)),
          array(slice.sequenceOfRow(rows)),
          array(slice.rowWeights(how, rows)));
    }

    private NDArray array(long[] values) {
      return Torch.array(manager, values);
    }

    private NDArray array(float[] values) {
      return Torch.array(manager, values, values.length);
    }

    @Override
    public void close() {
      all.forEach(IValue::close);
    }
  }
}
