package io.millrace.svft.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import io.millrace.svft.engine.AdaptedModel;
import io.millrace.svft.engine.Encoder;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.engine.Slices;
import io.millrace.svft.engine.TokenBatch;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.MatrixForm;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.task.Head;
import io.millrace.svft.tensor.BatchLayout;
import io.millrace.svft.tensor.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * Predicts with one adapter on a shared base model. Thread-safe.
 *
 * <p>The constructor keeps M apart from the weights, so it costs a copy of the adapter and nothing
 * else. A diagonal M is not even copied before the classifier scores alone: a pass with others lays
 * their values side by side anyway. {@link Merge} makes a classifier with merged weights. This
 * costs matrix products and the memory of all weights, and the classifier predicts as fast as the
 * base model. The logits of both agree to about 1e-5.
 */
public final class Classifier implements AutoCloseable {
  /** Where weights are packed, the rows of a pass are a multiple of this. */
  private static final int PACKED_ROWS = 8;

  private final BaseModel base;
  private final Adapter adapter;
  private final Encoder encoder;
  private final NDManager manager;

  /** Null before a classifier with a diagonal M scores alone. */
  private volatile AdaptedModel model;

  private final NDArray headWeight;
  private final NDArray headBias;
  private final boolean merged;

  /**
   * A classifier with M apart from the weights.
   *
   * @throws AdapterException if the adapter does not belong to this base model
   */
  public Classifier(BaseModel base, Adapter adapter) {
    this(base, adapter, managerFor(base, adapter));
  }

  private Classifier(BaseModel base, Adapter adapter, NDManager manager) {
    this(base, adapter, manager, isDiagonal(base, adapter) ? null : adapter.on(base, manager));
  }

  /** Whether M is diagonal, and the base model has what a product with it needs. */
  private static boolean isDiagonal(BaseModel base, Adapter adapter) {
    return adapter
            .method()
            .sparsity()
            .filter(each -> each.form() == MatrixForm.DIAGONAL)
            .isPresent()
        && base.linears().stream().allMatch(linear -> linear.factors() != null);
  }

  /**
   * @param manager owns the model's arrays that the base model does not share; closed with this
   *     classifier
   * @param model null to make it when it is needed: it has a diagonal M then
   */
  Classifier(BaseModel base, Adapter adapter, NDManager manager, AdaptedModel model) {
    this.base = base;
    this.adapter = adapter;
    this.encoder = new Encoder(base);
    this.manager = manager;
    this.model = model;
    int hidden = base.config().hidden();
    int labels = adapter.labels().size();
    this.headWeight = Torch.array(manager, Head.weights(adapter.head(), hidden), labels, hidden);
    this.headBias = Torch.array(manager, Head.biases(adapter.head(), hidden), labels);
    this.merged = model != null && model.products().stream().allMatch(LinearProduct::isDense);
  }

  private static NDManager managerFor(BaseModel base, Adapter adapter) {
    adapter.requireFits(base);
    return base.manager().newSubManager();
  }

  /** The adapter that it predicts with. */
  public Adapter adapter() {
    return adapter;
  }

  /**
   * Whether every linear weight is one matrix: a {@link Merge} made the classifier, or its method
   * leaves nothing to merge.
   */
  public boolean isMerged() {
    return merged;
  }

  /**
   * The size in bytes of its own tensors, which the base model does not share, once it has scored
   * alone.
   */
  public long bytes() {
    return bytes(manager) + (model == null ? (long) Float.BYTES * adapter.values().length : 0);
  }

  /** Its products, made where it has none yet. */
  private AdaptedModel model() {
    AdaptedModel made = model;
    if (made == null) {
      synchronized (manager) {
        made = model;
        if (made == null) {
          made = adapter.on(base, manager);
          model = made;
        }
      }
    }
    return made;
  }

  static long bytes(NDManager manager) {
    return manager.getManagedArrays().stream()
        .mapToLong(array -> array.size() * array.getDataType().getNumOfBytes())
        .sum();
  }

  /**
   * Scores texts. The logits of a text do not depend on the others, except that with some kernels
   * their last bits depend on the number of tokens in the pass.
   *
   * @return logits [texts, labels], in the order of the adapter's labels
   */
  public float[][] logits(List<String> texts) {
    int[] owners = new int[texts.size()];
    return scores(base, encoder, texts, owners, model(), List.of(headWeight, headBias));
  }

  /**
   * Whether one pass can score texts of this classifier and of another one: M is apart from the
   * weights of one base model, and their adapters {@linkplain Adapter#sharesPass share a pass}.
   */
  public boolean sharesPass(Classifier other) {
    return !merged && !other.merged && base == other.base && adapter.sharesPass(other.adapter);
  }

  /**
   * Scores texts, each with a classifier of its own, in one pass, as each classifier does alone.
   *
   * @param classifiers one per text; all {@linkplain #sharesPass share a pass}
   * @return for each text the logits [labels], in the order of its adapter's labels
   * @throws IllegalArgumentException if adapters share no pass
   */
  public static float[][] logits(List<Classifier> classifiers, List<String> texts) {
    Map<Classifier, Integer> indices = new IdentityHashMap<>();
    List<Classifier> distinct = new ArrayList<>();
    int[] owners = new int[classifiers.size()];
    for (int i = 0; i < owners.length; i++) {
      Classifier classifier = classifiers.get(i);
      if (!indices.containsKey(classifier)) {
        indices.put(classifier, distinct.size());
        distinct.add(classifier);
      }
      owners[i] = indices.get(classifier);
    }
    BaseModel base = distinct.get(0).base;
    List<Adapter> adapters = distinct.stream().map(Classifier::adapter).toList();
    Torch.prepareThread();
    try (NDScope scope = new NDScope();
        AdaptedModel model = Adapter.on(base, adapters, base.manager())) {
      List<NDArray> heads = new ArrayList<>();
      distinct.forEach(each -> heads.addAll(List.of(each.headWeight, each.headBias)));
      return scores(base, distinct.get(0).encoder, texts, owners, model, heads);
    }
  }

  private static float[][] scores(
      BaseModel base,
      Encoder encoder,
      List<String> texts,
      int[] owners,
      AdaptedModel model,
      List<NDArray> heads) {
    long[][] ids = base.tokenize(texts);
    float[][] logits = new float[ids.length][];
    Torch.prepareThread();
    // One thread computes all slices, so a few texts are fastest in one slice.
    for (int[] slice : Slices.of(ids, 1)) {
      List<TokenBatch.Segment> segments = new ArrayList<>();
      int tokens = 0;
      for (int i : slice) {
        segments.add(new TokenBatch.Segment(new long[][] {ids[i]}, owners[i]));
        tokens += ids[i].length;
      }
      try (NDScope scope = new NDScope()) {
        TokenBatch batch = new TokenBatch(BatchLayout.SEGMENTS, segments, rows(base, tokens));
        float[] flat = encoder.logits(batch, model, heads).toFloatArray();
        int from = 0;
        for (int i : slice) {
          int to = from + (int) heads.get(2 * owners[i] + 1).size();
          logits[i] = Arrays.copyOfRange(flat, from, to);
          from = to;
        }
      }
    }
    return logits;
  }

  /** The least number of rows of a slice. */
  private static int rows(BaseModel base, int tokens) {
    // oneDNN makes and keeps code for each number of rows: they are to be few.
    int rows = base.packs() ? (tokens + PACKED_ROWS - 1) / PACKED_ROWS * PACKED_ROWS : tokens;
    return Math.max(TokenBatch.PREDICTION_ROWS, rows);
  }

  /** Frees the classifier's own arrays. Must not be called while another call runs. */
  @Override
  public void close() {
    if (model != null) {
      model.close();
    }
    manager.close();
  }
}
