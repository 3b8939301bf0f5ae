package io.millrace.svft;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A base model's tensors on a device: embeddings, biases, normalisations, and of each adapted
 * weight its factors U, Σ, Vᵀ in place of W, so nothing is held twice.
 *
 * <p>One per process and device, shared by all threads: nothing here changes after loading. {@link
 * #close} frees the device's memory; no pass may be running then.
 */
public final class BaseModel implements AutoCloseable {
  /** Longest sequence read, special tokens included; the rest of a text is cut off. */
  public static final int MAX_TOKENS = 128;

  /** The second half of a linear layer, y = z Uᵀ + b; u: [out, n], bias: [out]. */
  record Out(NDArray u, NDArray bias) {}

  /** A linear layer y = ((x V) ∘ (Σ + m)) Uᵀ + b; vt: [n, in]. */
  record Factored(NDArray vt, Out out) {}

  record Norm(NDArray weight, NDArray bias) {}

  /** query, key and value share their input, so their Vᵀ stand under each other: [3 n, in]. */
  record Layer(
      NDArray qkvVt,
      Out query,
      Out key,
      Out value,
      Factored attentionOutput,
      Norm attentionNorm,
      Factored intermediate,
      Factored output,
      Norm outputNorm) {}

  private final ModelFiles files;
  private final NDManager manager;
  private final TextTokenizer tokenizer;
  private final List<AdaptedWeight> adaptedWeights;
  private final NDArray words;
  private final NDArray positions;
  private final NDArray tokenType;
  private final Norm embeddingNorm;
  private final NDArray sigma;
  private final List<Layer> layers;

  private BaseModel(ModelFiles files, NDManager manager, Safetensors model, Safetensors basis) {
    EncoderConfig config = files.config();
    this.files = files;
    this.manager = manager;
    this.tokenizer =
        new TextTokenizer(files.tokenizer(), Math.min(MAX_TOKENS, config.maxPositions()));
    this.adaptedWeights = config.adaptedWeights();
    int hidden = config.hidden();
    this.words = load(model, "embeddings.word_embeddings.weight", config.vocabulary(), hidden);
    this.positions =
        load(model, "embeddings.position_embeddings.weight", config.maxPositions(), hidden);
    try (NDArray types = load(model, "embeddings.token_type_embeddings.weight", 2, hidden)) {
      this.tokenType = types.get(0).duplicate();
    }
    this.embeddingNorm = norm(model, "embeddings.LayerNorm");
    this.sigma = loadSigma(basis);
    this.layers = new ArrayList<>();
    for (int i = 0; i < config.layers(); i++) {
      layers.add(layer(model, basis, "encoder.layer." + i + "."));
    }
  }

  /**
   * Loads a prepared model.
   *
   * @param device from {@link Torch#device}
   * @throws ModelException where a tensor is missing or has another shape
   */
  public static BaseModel load(ModelFiles files, Device device) {
    NDManager manager = Torch.newManager(device);
    try {
      return new BaseModel(
          files, manager, Safetensors.open(files.model()), Safetensors.open(files.basis()));
    } catch (IOException | SafetensorsException e) {
      manager.close();
      throw new ModelException("base model " + files.name() + ": " + e.getMessage(), e);
    } catch (ModelException e) {
      manager.close();
      throw e;
    }
  }

  private NDArray loadSigma(Safetensors basis) {
    float[] all = new float[files.config().plainValues()];
    for (AdaptedWeight w : adaptedWeights) {
      float[] s = basis.floats(w.name() + ".S", w.rank());
      System.arraycopy(s, 0, all, w.offset(), s.length);
    }
    return Torch.array(manager, all, all.length);
  }

  private Layer layer(Safetensors model, Safetensors basis, String prefix) {
    int hidden = files.config().hidden();
    String self = prefix + "attention.self.";
    NDArray qkv;
    try (NDArray q = load(basis, self + "query.Vt", hidden, hidden);
        NDArray k = load(basis, self + "key.Vt", hidden, hidden);
        NDArray v = load(basis, self + "value.Vt", hidden, hidden)) {
      qkv = NDArrays.concat(new NDList(q, k, v), 0);
    }
    return new Layer(
        qkv,
        outOf(model, basis, self + "query"),
        outOf(model, basis, self + "key"),
        outOf(model, basis, self + "value"),
        factored(model, basis, prefix + "attention.output.dense"),
        norm(model, prefix + "attention.output.LayerNorm"),
        factored(model, basis, prefix + "intermediate.dense"),
        factored(model, basis, prefix + "output.dense"),
        norm(model, prefix + "output.LayerNorm"));
  }

  private Factored factored(Safetensors model, Safetensors basis, String name) {
    AdaptedWeight w = weight(name);
    return new Factored(load(basis, name + ".Vt", w.rank(), w.in()), outOf(model, basis, name));
  }

  private Out outOf(Safetensors model, Safetensors basis, String name) {
    AdaptedWeight w = weight(name);
    return new Out(
        load(basis, name + ".U", w.out(), w.rank()), load(model, name + ".bias", w.out()));
  }

  private AdaptedWeight weight(String name) {
    return adaptedWeights.stream().filter(w -> w.name().equals(name)).findFirst().orElseThrow();
  }

  private Norm norm(Safetensors model, String name) {
    int hidden = files.config().hidden();
    return new Norm(load(model, name + ".weight", hidden), load(model, name + ".bias", hidden));
  }

  private NDArray load(Safetensors from, String name, long... shape) {
    return Torch.array(manager, from.floats(name, shape), shape);
  }

  /** The encoder's shape. */
  public EncoderConfig config() {
    return files.config();
  }

  /** Its name in the store. */
  public String name() {
    return files.name();
  }

  /** SHA-256 of the base model's tensors. */
  public String baseSha256() {
    return files.baseSha256();
  }

  /** SHA-256 of the singular basis. */
  public String basisSha256() {
    return files.basisSha256();
  }

  /** The linear weights SVFT adapts, in the order of M's values. */
  public List<AdaptedWeight> adaptedWeights() {
    return adaptedWeights;
  }

  /** The device it lies on. */
  public Device device() {
    return manager.getDevice();
  }

  /** Where the model's files lie. */
  public Path directory() {
    return files.directory();
  }

  TokenBatch tokenize(List<String> texts) {
    return new TokenBatch(tokenizer.encode(texts));
  }

  NDManager manager() {
    return manager;
  }

  NDArray words() {
    return words;
  }

  NDArray positions() {
    return positions;
  }

  NDArray tokenType() {
    return tokenType;
  }

  Norm embeddingNorm() {
    return embeddingNorm;
  }

  /** [values]: the singular values of all adapted weights, in the order of M's values. */
  NDArray sigma() {
    return sigma;
  }

  List<Layer> layers() {
    return layers;
  }

  @Override
  public void close() {
    Device device = device();
    tokenizer.close();
    manager.close();
    Torch.releaseCache(device);
  }
}
