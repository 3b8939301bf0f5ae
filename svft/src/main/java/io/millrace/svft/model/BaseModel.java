package io.millrace.svft.model;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.pytorch.jni.IValue;
import io.millrace.svft.tensor.DeviceException;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.SafetensorsException;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.tensor.TorchScript;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * A base model's tensors on a device. Each linear weight is held either as its factors U, Σ, Vᵀ,
 * with which singular vectors fine-tuning computes, or as W, never as both.
 *
 * <p>A process has one per device, which all threads share: it does not change after loading.
 * {@link #close} frees the device's memory and must not be called while a pass runs.
 */
public final class BaseModel implements AutoCloseable {
  /** The longest sequence in tokens, special tokens included. Longer texts are truncated. */
  public static final int MAX_TOKENS = 128;

  /**
   * One linear weight.
   *
   * @param weight its name and shape
   * @param factors Vᵀ [n, in] and U [out, n]; null if W is held
   * @param sigma the singular values [n], descending; null if W is held
   * @param dense W [out, in]; null if the factors are held
   * @param bias [out]
   * @param derived what methods compute from it
   */
  public record Linear(
      EncoderWeight weight,
      Factors factors,
      float[] sigma,
      NDArray dense,
      NDArray bias,
      DerivedTensors derived) {

    /**
     * A tensor that a method computes from this weight and never changes: computed at first use.
     *
     * @param name says everything that the tensor depends on besides the weight
     * @param user owns the tensor where it cannot be kept, unless a scope of the caller does
     * @param made computes the tensor, in any manager
     */
    public NDArray derived(String name, NDManager user, Supplier<NDArray> made) {
      return derived.get(name, user, made);
    }

    /** The program of the model. */
    public TorchScript script() {
      return derived.script();
    }

    /** The shape of the model. */
    public EncoderConfig config() {
      return derived.config();
    }

    /**
     * W [out, in], for products in which it is frozen. Where the process trains, too, and holds the
     * factors alone: empty. Where it predicts alone, W is composed of them at first use, since one
     * product with it takes less time than two with the factors.
     */
    public Optional<NDArray> whole() {
      if (dense != null) {
        return Optional.of(dense);
      }
      return derived.forPredictions()
          ? Optional.of(derived.whole(() -> compose(sigma, factors.u().getManager())))
          : Optional.empty();
    }

    /** Whether it is this weight's own tensor, and not that of one adapter. */
    public boolean isOwn(NDArray array) {
      return array == dense || derived.isWhole(array);
    }

    /**
     * U diag(s) Vᵀ, computed at first use.
     *
     * @param name says what s is
     * @param s in place of the singular values [n]
     * @param user owns the tensor where it cannot be kept, unless a scope of the caller does
     * @return [out, in]
     */
    public NDArray composed(String name, float[] s, NDManager user) {
      return derived(name, user, () -> compose(s, user));
    }

    private NDArray compose(float[] s, NDManager user) {
      try (NDArray diagonal = Torch.array(user, s, s.length);
          IValue u = TorchScript.tensor(factors.u());
          IValue middle = TorchScript.tensor(diagonal);
          IValue vt = TorchScript.tensor(factors.vt())) {
        return script().call("compose", u, middle, vt).get(0);
      }
    }
  }

  /** The singular vectors; vt: [n, in], u: [out, n]. */
  public record Factors(NDArray vt, NDArray u) {}

  private final ModelFiles files;
  private final NDManager manager;

  /** Owns what methods derive from the weights. */
  private final NDManager derived;

  private final Kernels kernels;
  private final TorchScript script;
  private final TextTokenizer tokenizer;
  private final List<Linear> linears;
  private final List<NDArray> embeddings;
  private final List<NDArray> norms;
  private final IValue embeddingArgument;
  private final IValue normArgument;
  private final boolean predictsAlone;
  private final boolean packs;

  /** Whether steps are computed with packed matrices. */
  private final boolean packsToTrain;

  /** Of matrices of {@link #linears}, each packed at its first step: as it is, and transposed. */
  private final Map<NDArray, NDArray> trainedWith = new IdentityHashMap<>();

  private final Map<NDArray, NDArray> transposed = new IdentityHashMap<>();

  /**
   * The packed copy of each matrix of {@link #linears}, and of their {@link Linear#whole}; none
   * where it packs nothing.
   */
  private final Map<NDArray, NDArray> packed = Collections.synchronizedMap(new IdentityHashMap<>());

  private BaseModel(
      ModelFiles files,
      NDManager manager,
      Safetensors model,
      Safetensors basis,
      Set<WeightRole> factored,
      TextTokenizer tokenizer,
      Kernels kernels,
      boolean predictsAlone) {
    EncoderConfig config = files.config();
    Architecture names = config.architecture();
    this.files = files;
    this.manager = manager;
    this.derived = Torch.newManager(manager.getDevice());
    this.tokenizer = tokenizer;
    this.kernels = kernels;
    this.script = new TorchScript(manager, config.architecture().program(kernels));
    this.embeddings =
        List.of(
            load(model, names.wordEmbeddings(), config.vocabulary(), config.hidden()),
            positions(model));
    this.norms = new ArrayList<>();
    config.norms().forEach(name -> norms.addAll(norm(model, name)));
    this.embeddingArgument = embeddingArgument(norms);
    this.normArgument = normArgument(norms);
    this.predictsAlone = predictsAlone;
    this.linears = new ArrayList<>();
    for (EncoderWeight w : config.weights()) {
      linears.add(linear(model, basis, w, factored.contains(w.role())));
    }
    // The layout is that of oneDNN for processors, and has no bits that all of them share.
    this.packs = predictsAlone && kernels != Kernels.PORTABLE && !manager.getDevice().isGpu();
    this.packsToTrain = kernels == Kernels.PACKED && !manager.getDevice().isGpu();
    linears.stream()
        .flatMap(BaseModel::matrices)
        .forEach(
            matrix -> {
              trainedWith.put(matrix, null);
              transposed.put(matrix, null);
            });
    linears.stream().flatMap(BaseModel::matrices).forEach(this::keepPacked);
  }

  private static Stream<NDArray> matrices(Linear linear) {
    return linear.dense() == null
        ? Stream.of(linear.factors().vt(), linear.factors().u())
        : Stream.of(linear.dense());
  }

  /**
   * Loads a prepared model with every linear weight as its factors. Any adapter can be served on
   * such a model. Computes with {@link Torch#kernels}, as do the other models whose kernels nobody
   * names.
   *
   * @param device from {@link Torch#device}
   * @throws ModelException if a tensor is missing or has another shape
   */
  public static BaseModel load(ModelFiles files, Device device) {
    return load(files, device, EnumSet.allOf(WeightRole.class));
  }

  /**
   * Loads a prepared model with every linear weight as its factors, for a process that predicts and
   * trains nothing. The weights are there a second time, packed: that takes as much memory again,
   * and products with them less time.
   *
   * @param device from {@link Torch#device}
   * @throws ModelException if a tensor is missing or has another shape
   */
  public static BaseModel loadToPredict(ModelFiles files, Device device) {
    TextTokenizer tokenizer = new TextTokenizer(files.tokenizer(), files.texts());
    return load(files, device, EnumSet.allOf(WeightRole.class), tokenizer, Torch.kernels(), true);
  }

  /**
   * Loads a prepared model.
   *
   * @param device from {@link Torch#device}
   * @param factored the roles of the weights to hold as their factors; the others are held as W
   * @throws ModelException if a tensor is missing or has another shape
   */
  public static BaseModel load(ModelFiles files, Device device, Set<WeightRole> factored) {
    return load(files, device, factored, Torch.kernels());
  }

  /**
   * Loads a prepared model.
   *
   * @param device from {@link Torch#device}
   * @param factored the roles of the weights to hold as their factors; the others are held as W
   * @param kernels what steps compute with
   * @throws ModelException if a tensor is missing or has another shape
   * @throws DeviceException if this process cannot compute with these kernels: {@link Torch#use}
   */
  public static BaseModel load(
      ModelFiles files, Device device, Set<WeightRole> factored, Kernels kernels) {
    Torch.use(kernels);
    TextTokenizer tokenizer = new TextTokenizer(files.tokenizer(), files.texts());
    return load(files, device, factored, tokenizer, kernels, false);
  }

  /**
   * Loads a prepared model that takes token ids instead of texts.
   *
   * @param device from {@link Torch#device}
   * @param factored the roles of the weights to hold as their factors; the others are held as W
   */
  public static BaseModel loadWithoutTokenizer(
      ModelFiles files, Device device, Set<WeightRole> factored) {
    return load(files, device, factored, null, Torch.kernels(), false);
  }

  private static BaseModel load(
      ModelFiles files,
      Device device,
      Set<WeightRole> factored,
      TextTokenizer tokenizer,
      Kernels kernels,
      boolean predictsAlone) {
    NDManager manager = Torch.newManager(device);
    try {
      Safetensors model = Safetensors.open(files.model());
      Safetensors basis = Safetensors.open(files.basis());
      return new BaseModel(
          files, manager, model, basis, factored, tokenizer, kernels, predictsAlone);
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

  /**
   * The position embedding, [{@link EncoderConfig#positionRows}, hidden]. Every token has type 0,
   * so the embedding of type 0 is added to each row once.
   */
  private NDArray positions(Safetensors model) {
    EncoderConfig config = files.config();
    int hidden = config.hidden();
    int rows = config.positionRows();
    float[] table = model.floats(config.architecture().positionEmbeddings(), rows, hidden).clone();
    config
        .architecture()
        .typeEmbeddings()
        .ifPresent(
            name -> {
              float[] types = model.floats(name, config.typeVocabulary(), hidden);
              for (int i = 0; i < table.length; i++) {
                table[i] += types[i % hidden];
              }
            });
    return Torch.array(manager, table, rows, hidden);
  }

  private Linear linear(
      Safetensors model, Safetensors basis, EncoderWeight weight, boolean factored) {
    String name = weight.name();
    int n = weight.rank();
    NDArray bias = load(model, name + ".bias", weight.out());
    if (!factored) {
      NDArray dense = load(model, name + ".weight", weight.out(), weight.in());
      return new Linear(weight, null, null, dense, bias, derived());
    }
    NDArray vt = load(basis, name + ".Vt", n, weight.in());
    NDArray u = load(basis, name + ".U", weight.out(), n);
    float[] sigma = basis.floats(name + ".S", n);
    return new Linear(weight, new Factors(vt, u), sigma, null, bias, derived());
  }

  private DerivedTensors derived() {
    return new DerivedTensors(
        derived,
        script,
        files.config(),
        predictsAlone ? Optional.of(this::keepPacked) : Optional.empty());
  }

  private List<NDArray> norm(Safetensors model, String name) {
    int hidden = files.config().hidden();
    return List.of(load(model, name + ".weight", hidden), load(model, name + ".bias", hidden));
  }

  private NDArray load(Safetensors from, String name, long... shape) {
    return Torch.array(manager, from.floats(name, shape), shape);
  }

  /** The shape of the encoder. */
  public EncoderConfig config() {
    return files.config();
  }

  /** The model's name in the store. */
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

  /** Names how texts become tokens: {@link ModelFiles#textsSha256}. */
  public String tokenizerSha256() {
    return files.textsSha256();
  }

  /** What happens to a text apart from the tokenizer's file. */
  public TextSettings texts() {
    return files.texts();
  }

  /** The device that holds the tensors. */
  public Device device() {
    return manager.getDevice();
  }

  /** The directory of the model's files. */
  public Path directory() {
    return files.directory();
  }

  /** The token ids of each text, special tokens included, at most {@link #MAX_TOKENS}. */
  public long[][] tokenize(List<String> texts) {
    return tokenizer.encode(texts);
  }

  /** The owner of the tensors; its device is the model's. */
  public NDManager manager() {
    return manager;
  }

  /** What the program computes with. */
  public Kernels kernels() {
    return kernels;
  }

  /** The program of the model's {@link Architecture}, loaded on the model's device. */
  public TorchScript script() {
    return script;
  }

  /** The linear weights in the order of {@link EncoderConfig#weights()}. */
  public List<Linear> linears() {
    return linears;
  }

  /** Whether predictions compute with packed weights. */
  public boolean packs() {
    return packs;
  }

  /**
   * A matrix in the layout in which predictions read it fastest.
   *
   * @param matrix [out, in]
   * @return belongs to the caller's scope, else to {@link #manager}; the same array where the model
   *     packs nothing
   */
  public NDArray pack(NDArray matrix) {
    if (!packs) {
      return matrix;
    }
    try (IValue argument = TorchScript.tensor(matrix)) {
      return script.call("packed", argument).get(0);
    }
  }

  /**
   * A matrix as a step computes with it: with {@link Kernels#PACKED} the packed copy of a matrix of
   * {@link #linears}, any other array as it is.
   */
  public NDArray packedToTrain(NDArray matrix) {
    return packedOnce(matrix, trainedWith, UnaryOperator.identity());
  }

  /** As {@link #packedToTrain}, but the transpose, for the gradient of the product's input. */
  public NDArray packedForBackward(NDArray matrix) {
    return packedOnce(matrix, transposed, NDArray::transpose);
  }

  private synchronized NDArray packedOnce(
      NDArray matrix, Map<NDArray, NDArray> copies, UnaryOperator<NDArray> layout) {
    if (!packsToTrain || !copies.containsKey(matrix)) {
      return matrix;
    }
    NDArray known = copies.get(matrix);
    if (known == null) {
      try (NDScope scope = new NDScope();
          IValue argument = TorchScript.tensor(layout.apply(matrix))) {
        known = script.call("packed", argument).get(0);
        NDScope.unregister(known);
        known.attach(derived);
      }
      copies.put(matrix, known);
    }
    return known;
  }

  private void keepPacked(NDArray matrix) {
    if (packs) {
      NDArray copy = pack(matrix);
      NDScope.unregister(copy);
      copy.attach(derived);
      packed.put(matrix, copy);
    }
  }

  /**
   * The packed copy of a matrix of {@link #linears} or their wholes; any other array is returned as
   * it is.
   */
  public NDArray packed(NDArray matrix) {
    return packed.getOrDefault(matrix, matrix);
  }

  /**
   * The weight and the bias [hidden] of each layer normalisation, one after the other, in the order
   * of {@link EncoderConfig#norms}.
   */
  public List<NDArray> norms() {
    return norms;
  }

  /** The argument {@code embeddings} of {@code encoder.py}. */
  public IValue embeddingArgument() {
    return embeddingArgument;
  }

  /** The argument {@code norms} of {@code encoder.py}. */
  public IValue normArgument() {
    return normArgument;
  }

  /**
   * As {@link #embeddingArgument()}, with other normalisations. The caller closes it.
   *
   * @param others in the order of {@link #norms}
   */
  public IValue embeddingArgument(List<NDArray> others) {
    List<NDArray> all = new ArrayList<>(embeddings);
    all.addAll(others.subList(0, 2));
    return TorchScript.tensors(all);
  }

  /**
   * As {@link #normArgument()}, with other normalisations. The caller closes it.
   *
   * @param others in the order of {@link #norms}
   */
  public IValue normArgument(List<NDArray> others) {
    List<List<NDArray>> layers = new ArrayList<>();
    for (int i = 2; i < others.size(); i += 4) {
      layers.add(others.subList(i, i + 4));
    }
    return TorchScript.lists(layers);
  }

  @Override
  public void close() {
    Device device = device();
    if (tokenizer != null) {
      tokenizer.close();
    }
    embeddingArgument.close();
    normArgument.close();
    script.close();
    derived.close();
    manager.close();
    Torch.releaseCache(device);
  }
}
