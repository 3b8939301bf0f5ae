package io.millrace.svft.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import io.millrace.svft.engine.AdaptedModel;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderWeight;
import java.util.ArrayList;
import java.util.List;

/**
 * Merges an adapter into the weights of its base model, such as W' = U (diag(Σ) + M) Vᵀ for SVFT.
 * It works in pieces, so that a thread with more urgent work can stop between any two of them.
 *
 * <p>A weight that is one matrix already is shared with the base model or taken over from the
 * adapter. Not thread-safe.
 */
public final class Merge implements AutoCloseable {
  /** The multiplications in a piece: one to two milliseconds on one core. */
  private static final long PIECE = 60_000_000;

  private final BaseModel base;
  private final Adapter adapter;
  private final NDManager manager;
  private final NDManager sources;
  private final AdaptedModel source;
  private final List<LinearProduct> dense = new ArrayList<>();
  private final List<NDArray> blocks = new ArrayList<>();
  private int row;
  private boolean closed;

  /**
   * Prepares a merge. {@link #step} does the work.
   *
   * @throws AdapterException if the adapter does not belong to this base model
   */
  public Merge(BaseModel base, Adapter adapter) {
    adapter.requireFits(base);
    this.base = base;
    this.adapter = adapter;
    this.manager = base.manager().newSubManager();
    this.sources = base.manager().newSubManager();
    this.source = adapter.on(base, sources);
  }

  /**
   * Merges one more piece.
   *
   * @return whether pieces are left
   */
  public boolean step() {
    int index = dense.size();
    if (index == base.linears().size()) {
      return false;
    }
    BaseModel.Linear linear = base.linears().get(index);
    LinearProduct product = source.products().get(index);
    if (product.isDense()) {
      NDArray own = product.dense();
      if (!linear.isOwn(own)) {
        own.attach(manager);
        own = packed(own);
      }
      dense.add(LinearProduct.dense(own, linear.bias()));
    } else {
      mergeRows(linear, index);
    }
    return dense.size() < base.linears().size();
  }

  /** The number of pieces that are left. */
  public int left() {
    int pieces = 0;
    for (int i = dense.size(); i < base.linears().size(); i++) {
      int out = base.linears().get(i).weight().out();
      int done = i == dense.size() ? row : 0;
      pieces += source.products().get(i).isDense() ? 1 : (out - done + rows(i) - 1) / rows(i);
    }
    return pieces;
  }

  /** The number of rows of W' in a piece. */
  private int rows(int index) {
    EncoderWeight weight = base.linears().get(index).weight();
    long perRow = (long) source.products().get(index).directions() * weight.in();
    return (int) Math.max(1, Math.min(weight.out(), PIECE / perRow));
  }

  private void mergeRows(BaseModel.Linear linear, int index) {
    int out = linear.weight().out();
    int to = Math.min(out, row + rows(index));
    try (NDScope scope = new NDScope()) {
      blocks.add(kept(source.merged(index, row, to)));
      row = to;
      if (row == out) {
        NDArray whole =
            blocks.size() == 1
                ? blocks.get(0)
                : kept(NDArrays.concat(new NDList(blocks.toArray(NDArray[]::new)), 0));
        if (blocks.size() > 1) {
          blocks.forEach(NDArray::close);
        }
        dense.add(LinearProduct.dense(packed(whole), bias(linear, index)));
        blocks.clear();
        row = 0;
      }
    }
  }

  /** The bias of a merged weight: the base model's own, or the adapter's. */
  private NDArray bias(BaseModel.Linear linear, int index) {
    NDArray bias = source.products().get(index).bias();
    return bias == linear.bias() ? bias : kept(bias);
  }

  /** The matrix as predictions read it, in place of the one given. */
  private NDArray packed(NDArray whole) {
    NDArray packed = base.pack(whole);
    if (packed != whole) {
      kept(packed);
      whole.close();
    }
    return packed;
  }

  private NDArray kept(NDArray array) {
    NDScope.unregister(array);
    array.attach(manager);
    return array;
  }

  /** The size in bytes of the tensors merged so far. */
  public long bytes() {
    return Classifier.bytes(manager);
  }

  /**
   * Ends the merge. The classifier takes over the merged weights and must be closed by the caller.
   *
   * @throws IllegalStateException if pieces are left, or the merge is finished or closed
   */
  public Classifier finish() {
    if (closed || dense.size() < base.linears().size()) {
      throw new IllegalStateException("the merge is not complete");
    }
    closed = true;
    List<NDArray> norms = source.norms().stream().map(norm -> kept(norm.flatten())).toList();
    closeSources();
    return new Classifier(base, adapter, manager, AdaptedModel.toPredict(base, dense, norms));
  }

  private void closeSources() {
    source.close();
    sources.close();
  }

  /** Frees the merged weights, unless a classifier has taken them over. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      closeSources();
      manager.close();
    }
  }
}
