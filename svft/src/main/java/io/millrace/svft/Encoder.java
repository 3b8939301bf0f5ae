package io.millrace.svft;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.nn.Activation;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;

/**
 * The encoder's forward pass with an adapter's M in every adapted weight, plain pattern.
 *
 * <p>A batch's real tokens run packed, one row each, through everything that works on rows; only
 * attention, which looks across a sequence, lays them out padded. Each adapted product is taken in
 * factors, y = ((x V) ∘ (Σ + m)) Uᵀ + b: two thin products forward and two back, and no product at
 * all for the gradient of m, which is a sum over rows of (x V) ∘ (∂y U).
 *
 * <p>Everything created here belongs to the caller's {@link ai.djl.ndarray.NDScope}.
 */
final class Encoder {
  private final BaseModel base;
  private final int hidden;
  private final int heads;
  private final int headWidth;
  private final float epsilon;

  Encoder(BaseModel base) {
    this.base = base;
    this.hidden = base.config().hidden();
    this.heads = base.config().heads();
    this.headWidth = base.config().headWidth();
    this.epsilon = base.config().layerNormEps();
  }

  /**
   * The mean of each sequence's last hidden states.
   *
   * @param m M's values [values], in the order of {@link BaseModel#adaptedWeights()}; gradients
   *     flow to it
   * @return [sequences, hidden]
   */
  NDArray embed(TokenBatch batch, NDArray m) {
    NDManager manager = base.manager();
    NDArray padFrom = Torch.array(manager, batch.padFrom());
    NDArray packFrom = Torch.array(manager, batch.packFrom());
    NDArray bias = Torch.array(manager, batch.maskBias(), batch.sequences(), 1, 1, batch.longest());
    NDArray scale = base.sigma().add(m);
    // Not q.mul(float): DJL makes the number an array in a Java buffer, closes it, and autograd
    // still
    // needs it in the backward pass, when the buffer may be gone.
    NDArray inverseRoot = Torch.array(manager, new float[] {(float) (1 / Math.sqrt(headWidth))}, 1);

    NDArray x =
        rows(base.words(), Torch.array(manager, batch.packedIds()))
            .add(rows(base.positions(), Torch.array(manager, batch.packedPositions())))
            .add(base.tokenType());
    x = norm(x, base.embeddingNorm());
    int at = 0;
    for (BaseModel.Layer layer : base.layers()) {
      NDArray qkv = linear(x, layer.qkvVt()).mul(slice(scale, at, at + 3 * hidden));
      NDArray q = padded(out(columns(qkv, 0), layer.query()), padFrom, batch);
      NDArray k = padded(out(columns(qkv, 1), layer.key()), padFrom, batch);
      NDArray v = padded(out(columns(qkv, 2), layer.value()), padFrom, batch);
      at += 3 * hidden;
      NDArray attention =
          q.mul(inverseRoot)
              .matMul(k.transpose(0, 1, 3, 2))
              .add(bias)
              .softmax(-1)
              .matMul(v)
              .transpose(0, 2, 1, 3)
              .reshape((long) batch.sequences() * batch.longest(), hidden);
      NDArray context = rows(attention, packFrom);
      NDArray mixed = adapted(context, layer.attentionOutput(), scale, at);
      at += rank(layer.attentionOutput());
      x = norm(x.add(mixed), layer.attentionNorm());
      NDArray inner = Activation.gelu(adapted(x, layer.intermediate(), scale, at));
      at += rank(layer.intermediate());
      NDArray outer = adapted(inner, layer.output(), scale, at);
      at += rank(layer.output());
      x = norm(x.add(outer), layer.outputNorm());
    }
    NDArray pooling = Torch.array(manager, batch.meanPooling(), batch.sequences(), batch.tokens());
    return pooling.matMul(x);
  }

  private static int rank(BaseModel.Factored weight) {
    return (int) weight.vt().getShape().get(0);
  }

  /** x: [tokens, in] → [tokens, out]. */
  private NDArray adapted(NDArray x, BaseModel.Factored weight, NDArray scale, int at) {
    return out(linear(x, weight.vt()).mul(slice(scale, at, at + rank(weight))), weight.out());
  }

  private static NDArray out(NDArray z, BaseModel.Out weight) {
    return Linear.linear(z, weight.u(), weight.bias()).singletonOrThrow();
  }

  private static NDArray linear(NDArray x, NDArray weight) {
    return Linear.linear(x, weight).singletonOrThrow();
  }

  private static NDArray slice(NDArray vector, long from, long to) {
    return vector.get(new NDIndex(from + ":" + to));
  }

  /** The third of [tokens, 3 · hidden] that belongs to query, key or value. */
  private NDArray columns(NDArray qkv, int third) {
    return qkv.get(new NDIndex(":, " + third * hidden + ":" + (third + 1) * hidden));
  }

  /** Rows of a table [rows, width] by index; gradients flow to the table. */
  private static NDArray rows(NDArray table, NDArray index) {
    return Embedding.embedding(index, table, SparseFormat.DENSE).singletonOrThrow();
  }

  /** [tokens, hidden] → [sequences, heads, longest, headWidth]. */
  private NDArray padded(NDArray packed, NDArray padFrom, TokenBatch batch) {
    return rows(packed, padFrom)
        .reshape(batch.sequences(), batch.longest(), heads, headWidth)
        .transpose(0, 2, 1, 3);
  }

  private NDArray norm(NDArray x, BaseModel.Norm norm) {
    return LayerNorm.layerNorm(x, new Shape(hidden), norm.weight(), norm.bias(), epsilon)
        .singletonOrThrow();
  }
}
