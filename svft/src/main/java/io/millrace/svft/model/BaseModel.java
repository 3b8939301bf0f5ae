package io.millrace.svft.model;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.IValue;
import io.millrace.svft.adapter.Classifier;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.SafetensorsException;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.tensor.TorchScript;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * A base model's tensors on a device. A linear weight is held either as its factors U, Σ, Vᵀ, which
 * singular vectors fine-tuning computes with, or as W: never both.
 *
 * <p>One per process and device, shared by all threads: nothing here changes after loading. {@link
 * #close} frees the device's memory; no pass may be running then.
 */
public final class BaseModel implements AutoCloseable {
  /** Longest sequence read, special tokens included; the rest of a text is cut off. */
  public static final int MAX_TOKENS = 128;

  /**
   * One linear weight.
   *
   * @param weight its name and shape
   * @param factors Vᵀ [n, in] and U [out, n]; null where W is held
   * @param sigma the singular values [n], descending; null where W is held
   * @param dense W [out, in]; null where the factors are held
   * @param bias [out]
   */
  public record Linear(
      EncoderWeight weight, Factors factors, float[] sigma, NDArray dense, NDArray bias) {}

  /** The singular vectors; vt: [n, in], u: [out, n]. */
  public record Factors(NDArray vt, NDArray u) {}

  private final ModelFiles files;
  private final NDManager manager;
  private final TorchScript script;
  private final TextTokenizer tokenizer;
  private final List<Linear> linears;
  private final IValue embeddings;
  private final IValue norms;

  private BaseModel(
      ModelFiles files,
      NDManager manager,
      Safetensors model,
      Safetensors basis,
      Set<WeightRole> factored,
      TextTokenizer tokenizer) {
    EncoderConfig config = files.config();
    Architecture names = config.architecture();
    this.files = files;
    this.manager = manager;
    this.tokenizer = tokenizer;
    this.script = new TorchScript(manager, config.architecture().program());
    List<NDArray> embeddings = new ArrayList<>();
    embeddings.add(load(model, names.wordEmbeddings(), config.vocabulary(), config.hidden()));
    embeddings.add(positions(model));
    embeddings.addAll(norm(model, names.embeddingNorm()));
    this.embeddings = TorchScript.tensors(embeddings);
    List<List<NDArray>> norms = new ArrayList<>();
    for (int layer = 0; layer < config.layers(); layer++) {
      List<NDArray> both = new ArrayList<>(norm(model, names.attentionNorm(layer)));
      both.addAll(norm(model, names.outputNorm(layer)));
      norms.add(both);
    }
    this.norms = TorchScript.lists(norms);
    this.linears = new ArrayList<>();
    for (EncoderWeight w : config.weights()) {
      linears.add(linear(model, basis, w, factored.contains(w.role())));
    }
  }

  /**
   * Loads a prepared model with every linear weight in its factors: what {@link Classifier} needs
   * to serve any adapter.
   *
   * @param device from {@link Torch#device}
   * @throws ModelException where a tensor is missing or has another shape
   */
  public static BaseModel load(ModelFiles files, Device device) {
    return load(files, device, EnumSet.allOf(WeightRole.class));
  }

  /**
   * Loads a prepared model.
   *
   * @param device from {@link Torch#device}
   * @param factored the weights to hold as their factors; the others are held as they are
   * @throws ModelException where a tensor is missing or has another shape
   */
  public static BaseModel load(ModelFiles files, Device device, Set<WeightRole> factored) {
    int longest = Math.min(MAX_TOKENS, files.config().maxPositions());
    return load(files, device, factored, new TextTokenizer(files.tokenizer(), longest));
  }

  /**
   * @param tokenizer closed with the model; null where token ids are given instead of texts
   */
  public static BaseModel load(
      ModelFiles files, Device device, Set<WeightRole> factored, TextTokenizer tokenizer) {
    NDManager manager = Torch.newManager(device);
    try {
      Safetensors model = Safetensors.open(files.model());
      Safetensors basis = Safetensors.open(files.basis());
      return new BaseModel(files, manager, model, basis, factored, tokenizer);
    } catch (IOException | SafetensorsException | ModelException e) {
      manager.close();
      if (tokenizer != null) {
        tokenizer.close();
      }
      throw e instanceof ModelException known
          ? known
          : new ModelException("base model " + files.name() + ": " + e.getMessage(), e);
    }
  }

  /** The position table; the row that every token's type adds is added to it once and for all. */
  private NDArray positions(Safetensors model) {
    EncoderConfig config = files.config();
    int hidden = config.hidden();
    float[] table =
        model.floats(config.architecture().positionEmbeddings(), config.positionRows(), hidden);
    float[] used = new float[config.maxPositions() * hidden];
    System.arraycopy(table, config.positionOffset() * hidden, used, 0, used.length);
    config
        .architecture()
        .typeEmbeddings()
        .ifPresent(
            name -> {
              float[] types = model.floats(name, config.typeVocabulary(), hidden);
              for (int i = 0; i < used.length; i++) {
                used[i] += types[i % hidden];
              }
            });
    return Torch.array(manager, used, config.maxPositions(), hidden);
  }

  private Linear linear(
      Safetensors model, Safetensors basis, EncoderWeight weight, boolean factored) {
    String name = weight.name();
    int n = weight.rank();
    NDArray bias = load(model, name + ".bias", weight.out());
    if (!factored) {
      NDArray dense = load(model, name + ".weight", weight.out(), weight.in());
      return new Linear(weight, null, null, dense, bias);
    }
    NDArray vt = load(basis, name + ".Vt", n, weight.in());
    NDArray u = load(basis, name + ".U", weight.out(), n);
    return new Linear(weight, new Factors(vt, u), basis.floats(name + ".S", n), null, bias);
  }

  private List<NDArray> norm(Safetensors model, String name) {
    int hidden = files.config().hidden();
    return List.of(load(model, name + ".weight", hidden), load(model, name + ".bias", hidden));
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

  /** SHA-256 of its tokenizer's file. */
  public String tokenizerSha256() {
    return files.tokenizerSha256();
  }

  /** The device it lies on. */
  public Device device() {
    return manager.getDevice();
  }

  /** Where the model's files lie. */
  public Path directory() {
    return files.directory();
  }

  /** Token ids of each text. */
  public long[][] tokenize(List<String> texts) {
    return tokenizer.encode(texts);
  }

  public NDManager manager() {
    return manager;
  }

  public TorchScript script() {
    return script;
  }

  /** The linear weights in the order of {@link EncoderConfig#weights()}. */
  public List<Linear> linears() {
    return linears;
  }

  /** What {@code encoder.py} calls embeddings. */
  public IValue embeddings() {
    return embeddings;
  }

  /** What {@code encoder.py} calls norms. */
  public IValue norms() {
    return norms;
  }

  @Override
  public void close() {
    Device device = device();
    if (tokenizer != null) {
      tokenizer.close();
    }
    embeddings.close();
    norms.close();
    script.close();
    manager.close();
    Torch.releaseCache(device);
  }
}
