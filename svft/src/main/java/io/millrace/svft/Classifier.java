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
  private final NDArray m;
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
    this.manager = base.manager().newSubManager();
    this.m = Torch.array(manager, adapter.values(), adapter.values().length);
    this.headWeight =
        Torch.array(manager, Head.weights(adapter.head(), hidden), adapter.labels().size(), hidden);
    this.headBias =
        Torch.array(manager, Head.biases(adapter.head(), hidden), adapter.labels().size());
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
    Torch.recordGradients(false);
    try (NDScope scope = new NDScope()) {
      NDArray pooled = encoder.embed(base.tokenize(texts), m);
      float[] flat = Linear.linear(pooled, headWeight, headBias).singletonOrThrow().toFloatArray();
      return Head.rows(flat, adapter.labels().size());
    }
  }

  /** Frees the adapter's arrays; no call may be running. */
  @Override
  public void close() {
    manager.close();
  }
}
