package io.millrace.svft.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.Sha256;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The base models on disk, each with its singular basis.
 *
 * <p>A model is imported and factorised once. After that, opening it only checks the hashes of its
 * files against the recorded ones. Several processes may share a store. The first process that
 * needs a model prepares it under a file lock, in a partial directory that is renamed when it is
 * complete.
 */
public final class ModelStore {
  /** all-MiniLM-L6-v2 (6 layers, width 384, mean pooling), from an artifact on the class path. */
  public static final String MINILM = "minilm";

  /**
   * bge-small-en-v1.5 (12 layers, width 384, first-token pooling), from an artifact on the class
   * path.
   */
  public static final String BGE_SMALL = "bge-small";

  private static final Map<String, String> PUBLISHED =
      Map.of(MINILM, "sentence-transformers/all-MiniLM-L6-v2", BGE_SMALL, "BAAI/bge-small-en-v1.5");

  private static final String DESCRIPTION = "model.json";
  private static final String PARTIAL = ".partial";
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Serialises the threads of this JVM, which can hold a file lock only once. */
  private static final ReentrantLock PREPARING = new ReentrantLock();

  /** Receives the progress of a preparation. Threads of the preparation call it. */
  public interface Listener {
    /**
     * @param done how many weight matrices are factorised
     * @param total how many there are
     */
    void preparing(String model, int done, int total);
  }

  private final Path root;
  private final List<ModelSource> known;

  /**
   * @param root the directory of the store; it is created when a model is imported
   */
  public ModelStore(Path root) {
    this(root, OnnxArtifact.KNOWN);
  }

  /**
   * @param known the models that can be imported by their names
   */
  ModelStore(Path root, List<ModelSource> known) {
    this.root = root.toAbsolutePath().normalize();
    this.known = known;
  }

  /** The name under which others know a model: its public one, or that in the store. */
  public static String publicName(String name) {
    return PUBLISHED.getOrDefault(name, name);
  }

  /**
   * Opens a model. A model that the store does not hold is imported and factorised first, which
   * takes seconds for MiniLM and minutes for wider encoders.
   *
   * @param name {@link #MINILM} or {@link #BGE_SMALL}; the name of a model in the store; or the
   *     path of a Hugging Face directory. Any other name is taken as a path if it contains {@code
   *     /} or is an existing directory. The store names a directory's model {@code <directory
   *     name>-<hash>}, with the first 12 digits of the SHA-256 of its {@code model.safetensors}.
   * @param listener receives the progress of an import
   * @throws ModelException if the name is unknown, the model is not supported, a file cannot be
   *     read or written, or a file does not match its recorded hash
   */
  public ModelFiles prepare(String name, Listener listener) {
    try {
      for (ModelSource source : known) {
        if (source.name().equals(name)) {
          return prepare(source, listener);
        }
      }
      if (stored().contains(name)) {
        return open(name);
      }
      if (name.contains("/") || isDirectory(name)) {
        return prepareDirectory(name, listener);
      }
      throw unknown(name);
    } catch (UncheckedIOException e) {
      throw failed(e.getCause());
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /**
   * A model that the store holds, as its description says, without a look at its files; empty where
   * the store holds none of that name.
   *
   * @throws ModelException if the description is broken
   */
  public Optional<ModelFiles> find(String name) {
    try {
      return stored().contains(name)
          ? Optional.of(describe(name, root.resolve(name)))
          : Optional.empty();
    } catch (UncheckedIOException e) {
      throw failed(e.getCause());
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private ModelException failed(IOException e) {
    String why = e.getMessage() == null ? e.toString() : e.getMessage();
    return new ModelException("model store " + root + ": " + why, e);
  }

  private static boolean isDirectory(String name) {
    try {
      return !name.isEmpty() && Files.isDirectory(Path.of(name));
    } catch (InvalidPathException e) {
      return false;
    }
  }

  private ModelException unknown(String name) throws IOException {
    String names = known.stream().map(ModelSource::name).collect(Collectors.joining(", "));
    List<String> stored = stored();
    return new ModelException(
        "unknown base model \"%s\"; known: %s; the store %s holds %s; a path of a Hugging Face directory holds a /"
            .formatted(name, names, root, stored.isEmpty() ? "none" : String.join(", ", stored)));
  }

  /** The names of the models in the store, sorted. */
  private List<String> stored() throws IOException {
    if (!Files.isDirectory(root)) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(root)) {
      return entries
          .filter(entry -> Files.exists(entry.resolve(DESCRIPTION)))
          .map(entry -> entry.getFileName().toString())
          .filter(name -> !name.endsWith(PARTIAL))
          .sorted()
          .toList();
    }
  }

  private ModelFiles prepareDirectory(String path, Listener listener) throws IOException {
    if (!isDirectory(path)) {
      throw new ModelException("base model \"" + path + "\" is no directory");
    }
    HuggingFaceCheckpoint source = new HuggingFaceCheckpoint(Path.of(path));
    ModelFiles files = prepare(source, listener);
    source.requireSame(files);
    return files;
  }

  private ModelFiles prepare(ModelSource source, Listener listener) throws IOException {
    Path directory = root.resolve(source.name());
    if (!isPrepared(directory)) {
      Files.createDirectories(root);
      PREPARING.lock();
      try (FileChannel channel =
              FileChannel.open(
                  root.resolve(source.name() + ".lock"),
                  StandardOpenOption.CREATE,
                  StandardOpenOption.WRITE);
          FileLock lock = channel.lock()) {
        if (!isPrepared(directory)) {
          importModel(source, directory, listener);
        }
      } finally {
        PREPARING.unlock();
      }
    }
    return open(source.name());
  }

  /**
   * Whether a directory holds a model in the present format. Descriptions of the first format have
   * no architecture; such models are imported again.
   */
  private static boolean isPrepared(Path directory) throws IOException {
    Path description = directory.resolve(DESCRIPTION);
    if (!Files.exists(description)) {
      return false;
    }
    try {
      JsonNode config = JSON.readTree(description.toFile()).path("config");
      return !(config.has("layers") && !config.has("architecture"));
    } catch (JsonProcessingException e) {
      // describe() reports what is wrong.
      return true;
    }
  }

  private void importModel(ModelSource source, Path directory, Listener listener)
      throws IOException {
    Checkpoint checkpoint = source.read();
    Path partial = root.resolve(source.name() + PARTIAL);
    deleteRecursively(partial);
    Files.createDirectories(partial);
    Path model = partial.resolve(ModelFiles.MODEL);
    Path basis = partial.resolve(ModelFiles.BASIS);
    Path tokenizer = partial.resolve(ModelFiles.TOKENIZER);
    write(model, Map.of("format", "pt"), checkpoint.tensors());
    Files.write(tokenizer, checkpoint.tokenizer());
    factorise(source.name(), checkpoint.config(), model, basis, listener);

    ObjectNode description = JSON.createObjectNode();
    description.set("config", JSON.valueToTree(checkpoint.config()));
    description.put("baseSha256", Sha256.of(model));
    description.put("basisSha256", Sha256.of(basis));
    description.put("tokenizerSha256", Sha256.of(tokenizer));
    description.set("texts", JSON.valueToTree(checkpoint.texts()));
    description.set("leftOut", JSON.valueToTree(checkpoint.leftOut()));
    checkpoint.fileSha256().ifPresent(hash -> description.put("importedFileSha256", hash));
    JSON.writerWithDefaultPrettyPrinter()
        .writeValue(partial.resolve(DESCRIPTION).toFile(), description);
    deleteRecursively(directory);
    Files.move(partial, directory, StandardCopyOption.ATOMIC_MOVE);
  }

  /**
   * Factorises every weight. Each weight's factors go to a file of their own first, which bounds
   * memory.
   */
  private static void factorise(
      String name, EncoderConfig config, Path modelFile, Path basisFile, Listener listener)
      throws IOException {
    Safetensors model = Safetensors.open(modelFile);
    List<EncoderWeight> weights = config.weights();
    AtomicInteger done = new AtomicInteger();
    listener.preparing(name, 0, weights.size());
    Path parts = Files.createDirectory(basisFile.resolveSibling("parts"));
    // Each decomposition runs on one thread, so the number of threads does not affect the result.
    weights.stream()
        .parallel()
        .forEach(
            w -> {
              writeUnchecked(parts.resolve(w.name()), factors(name, model, w));
              listener.preparing(name, done.incrementAndGet(), weights.size());
            });
    List<Safetensors.StoredTensor> tensors = new ArrayList<>();
    for (EncoderWeight w : weights) {
      Safetensors part = Safetensors.open(parts.resolve(w.name()));
      part.names().forEach(each -> tensors.add(new Safetensors.StoredTensor(each, part, each)));
    }
    write(basisFile, Map.of(), tensors);
    deleteRecursively(parts);
  }

  private static List<Safetensors.Tensor> factors(String model, Safetensors file, EncoderWeight w) {
    SingularBasis basis;
    try {
      basis = SingularBasis.of(file.floats(w.name() + ".weight", w.out(), w.in()), w.out(), w.in());
    } catch (IllegalArgumentException e) {
      throw new ModelException(
          "base model %s: tensor %s.weight: %s".formatted(model, w.name(), e.getMessage()), e);
    }
    int n = w.rank();
    return List.of(
        new Safetensors.Tensor(w.name() + ".U", new long[] {w.out(), n}, basis.u()),
        new Safetensors.Tensor(w.name() + ".S", new long[] {n}, basis.s()),
        new Safetensors.Tensor(w.name() + ".Vt", new long[] {n, w.in()}, basis.vt()));
  }

  private ModelFiles open(String name) throws IOException {
    Path directory = root.resolve(name);
    try {
      ModelFiles files = describe(name, directory);
      requireHash(files.model(), files.baseSha256());
      requireHash(files.basis(), files.basisSha256());
      requireHash(files.tokenizer(), files.tokenizerSha256());
      return files;
    } catch (NoSuchFileException e) {
      throw new ModelException(
          "%s is missing; restore the file, or delete %s to import the model again"
              .formatted(e.getFile(), directory),
          e);
    }
  }

  private static ModelFiles describe(String name, Path directory) throws IOException {
    Path file = directory.resolve(DESCRIPTION);
    String why;
    try {
      JsonNode description = JSON.readTree(file.toFile());
      EncoderConfig config = JSON.treeToValue(description.required("config"), EncoderConfig.class);
      if (config == null) {
        throw new IllegalArgumentException("config is null");
      }
      return new ModelFiles(
          name,
          directory,
          config,
          hash(description, "baseSha256"),
          hash(description, "basisSha256"),
          hash(description, "tokenizerSha256"),
          texts(description, config));
    } catch (JsonMappingException e) {
      why = "config" + path(e) + ": " + e.getOriginalMessage();
    } catch (JsonProcessingException e) {
      why = e.getOriginalMessage();
    } catch (IllegalArgumentException e) {
      why = e.getMessage();
    }
    throw new ModelException(
        "%s is broken: %s; delete %s to import the model again"
            .formatted(file, Safetensors.oneLine(why), directory));
  }

  /** Descriptions of earlier releases say nothing about texts. */
  private static TextSettings texts(JsonNode description, EncoderConfig config)
      throws JsonProcessingException {
    TextSettings most = TextSettings.of(config);
    if (!description.has("texts")) {
      return most;
    }
    TextSettings texts = JSON.treeToValue(description.get("texts"), TextSettings.class);
    if (texts == null || texts.maxTokens() < 1 || texts.maxTokens() > most.maxTokens()) {
      throw new IllegalArgumentException("texts is " + description.get("texts"));
    }
    return texts;
  }

  private static String path(JsonMappingException e) {
    return e.getPath().stream()
        .map(step -> "." + step.getFieldName())
        .collect(Collectors.joining());
  }

  private static String hash(JsonNode description, String field) {
    JsonNode hash = description.required(field);
    if (!hash.isTextual()) {
      throw new IllegalArgumentException(field + " is " + hash);
    }
    return hash.asText();
  }

  private static void requireHash(Path file, String recorded) throws IOException {
    String actual = Sha256.of(file);
    if (!actual.equals(recorded)) {
      throw new ModelException(
          "%s has changed: its SHA-256 is %s, recorded was %s; restore the file, or delete %s to import the model again"
              .formatted(file, actual, recorded, file.getParent()));
    }
  }

  private static void writeUnchecked(Path file, List<Safetensors.Tensor> tensors) {
    try {
      write(file, Map.of(), tensors);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void write(
      Path file, Map<String, String> metadata, List<? extends Safetensors.AnyTensor> tensors)
      throws IOException {
    try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file))) {
      Safetensors.write(out, metadata, tensors);
    }
  }

  private static void deleteRecursively(Path path) throws IOException {
    if (!Files.exists(path)) {
      return;
    }
    try (Stream<Path> tree = Files.walk(path)) {
      for (Path each : tree.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
  }
}
