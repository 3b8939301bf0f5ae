package io.millrace.svft;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.nn.core.Linear;
import java.util.List;

/**
 * Predicts with one adapter on a shared base model. M stays apart from the weights, so making one
 * costs a copy of the adapter and nothing else. Safe for any number of threads.
 */
public final class Classifier implements AutoCloseable {
  private final BaseModel base;
  private final Adapter adapter;
  private final Encoder encoder;
  private final NDManager manager;
  private final AdaptedModel model;
  private final NDArray headWeight;
  private final NDArray headBias;

  /**
   * @throws AdapterException where the adapter does not belong to this base model
   */
  public Classifier(BaseModel base, Adapter adapter) {
    adapter.requireFits(base);
    this.base = base;
    this.adapter = adapter;
    this.encoder = new Encoder(base);
    int hidden = base.config().hidden();
    int labels = adapter.labels().size();
    this.manager = base.manager().newSubManager();
    this.model = adapter.on(base, manager);
    this.headWeight = Torch.array(manager, Head.weights(adapter.head(), hidden), labels, hidden);
    this.headBias = Torch.array(manager, Head.biases(adapter.head(), hidden), labels);
  }

  /** The adapter it predicts with. */
  public Adapter adapter() {
    return adapter;
  }

  /**
   * Scores texts.
   *
   * @return [texts, labels]: logits, in the order of the adapter's labels
   */
  public float[][] logits(List<String> texts) {
    long[][] ids = base.tokenize(texts);
    float[][] logits = new float[ids.length][];
    Torch.prepareThread();
    for (int[] slice : Slices.of(ids)) {
      long[][] sequences = new long[slice.length][];
      for (int i = 0; i < slice.length; i++) {
        sequences[i] = ids[slice[i]];
      }
      try (NDScope scope = new NDScope()) {
        NDArray pooled = encoder.embed(new TokenBatch(sequences), model);
        NDArray scores = Linear.linear(pooled, headWeight, headBias).singletonOrThrow();
        float[][] rows = Head.rows(scores.toFloatArray(), adapter.labels().size());
        for (int i = 0; i < slice.length; i++) {
          logits[slice[i]] = rows[i];
        }
      }
    }
    return logits;
  }

  /** Frees the adapter's arrays; no call may be running. */
  @Override
  public void close() {
    model.close();
    manager.close();
  }
}
