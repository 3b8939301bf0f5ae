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
 * Merges an adapter into the weights of its base model, W' = U (diag(Σ) + M) Vᵀ, a piece at a time,
 * so that a thread with more urgent work can stop between any two of them.
 *
 * <p>Weights that are one matrix already are shared with the base model, or taken over from the
 * adapter. For one thread at a time.
 */
public final class Merge implements AutoCloseable {
  /** Multiplications a piece may take: one or two milliseconds on one core. */
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
   * Merges nothing yet.
   *
   * @throws AdapterException where the adapter does not belong to this base model
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
   * Merges a piece more.
   *
   * @return whether any is left after it
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
      if (own != linear.dense()) {
        own.attach(manager);
      }
      dense.add(LinearProduct.dense(own, linear.bias()));
    } else {
      mergeRows(linear, index);
    }
    return dense.size() < base.linears().size();
  }

  /** How many pieces are left. */
  public int left() {
    int pieces = 0;
    for (int i = dense.size(); i < base.linears().size(); i++) {
      int out = base.linears().get(i).weight().out();
      int done = i == dense.size() ? row : 0;
      pieces += source.products().get(i).isDense() ? 1 : (out - done + rows(i) - 1) / rows(i);
    }
    return pieces;
  }

  /** Rows of W' that make a piece. */
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
        dense.add(LinearProduct.dense(whole, linear.bias()));
        if (blocks.size() > 1) {
          blocks.forEach(NDArray::close);
        }
        blocks.clear();
        row = 0;
      }
    }
  }

  private NDArray kept(NDArray array) {
    NDScope.unregister(array);
    array.attach(manager);
    return array;
  }

  /** Bytes of the tensors merged so far. */
  public long bytes() {
    return Classifier.bytes(manager);
  }

  /**
   * The classifier with the merged weights, which takes them over.
   *
   * @throws IllegalStateException where pieces are left
   */
  public Classifier finish() {
    if (closed || dense.size() < base.linears().size()) {
      throw new IllegalStateException("the merge is not complete");
    }
    closed = true;
    closeSources();
    return new Classifier(base, adapter, manager, new AdaptedModel(base, dense));
  }

  private void closeSources() {
    source.close();
    sources.close();
  }

  /** Frees what was merged, unless a classifier has taken it over. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      closeSources();
      manager.close();
    }
  }
}
