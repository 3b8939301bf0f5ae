package io.millrace.svft;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Base models on disk, each beside its singular basis.
 *
 * <p>A model is imported and factorised once; from then on its files are opened, their hashes
 * checked against those recorded, and nothing is computed again. Several processes may share a
 * store: the first to need a model prepares it under a file lock, in a directory that gets its name
 * only when it is complete.
 */
public final class ModelStore {
  /** all-MiniLM-L6-v2 (6 layers, 384 wide), from the artifact on the class path. */
  public static final String MINILM = "minilm";

  private static final String MINILM_ONNX = "/all-minilm-l6-v2.onnx";
  private static final String MINILM_TOKENIZER = "/all-minilm-l6-v2-tokenizer.json";
  private static final EncoderConfig MINILM_CONFIG =
      new EncoderConfig(6, 384, 12, 1536, 30522, 512, 1e-12f);
  private static final String DESCRIPTION = "model.json";
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Told how far a preparation is; {@code done} of {@code total} matrices are factorised. */
  public interface Listener {
    void preparing(String model, int done, int total);
  }

  private final Path root;

  public ModelStore(Path root) {
    this.root = root.toAbsolutePath().normalize();
  }

  /**
   * Opens a model, preparing it first where the store does not hold it yet (some ten seconds).
   *
   * @throws ModelException for an unknown name, or files that are not what was recorded
   */
  public ModelFiles prepare(String name, Listener listener) {
    if (!name.equals(MINILM)) {
      throw new ModelException("unknown base model \"" + name + "\"; known: " + MINILM);
    }
    Path directory = root.resolve(name);
    try {
      if (!Files.exists(directory.resolve(DESCRIPTION))) {
        Files.createDirectories(root);
        try (FileChannel channel =
                FileChannel.open(
                    root.resolve(name + ".lock"),
                    StandardOpenOption.CREATE,
                    StandardOpenOption.WRITE);
            FileLock lock = lock(channel)) {
          if (!Files.exists(directory.resolve(DESCRIPTION))) {
            importMiniLm(directory, listener);
          }
        }
      }
      return open(name, directory);
    } catch (NoSuchFileException e) {
      throw new ModelException(
          "%s is missing; restore the file, or delete %s to import the model again"
              .formatted(e.getFile(), directory),
          e);
    } catch (IOException e) {
      throw new ModelException("model store " + root + ": " + e.getMessage(), e);
    }
  }

  /** One JVM may hold a file lock only once: threads of this process take turns before that. */
  private static FileLock lock(FileChannel channel) throws IOException {
    while (true) {
      try {
        return channel.lock();
      } catch (OverlappingFileLockException held) {
        Thread.onSpinWait();
      }
    }
  }

  private void importMiniLm(Path directory, Listener listener) throws IOException {
    Path partial = root.resolve(directory.getFileName() + ".partial");
    deleteRecursively(partial);
    Files.createDirectories(partial);
    List<Safetensors.Tensor> tensors;
    try (InputStream onnx = resource(MINILM_ONNX)) {
      tensors = new OnnxCheckpoint(onnx).tensors();
    }
    write(partial.resolve("model.safetensors"), Map.of("format", "pt"), tensors);
    try (InputStream tokenizer = resource(MINILM_TOKENIZER)) {
      Files.copy(tokenizer, partial.resolve("tokenizer.json"));
    }
    Safetensors model = Safetensors.open(partial.resolve("model.safetensors"));
    write(
        partial.resolve("basis.safetensors"),
        Map.of(),
        factorise(directory.getFileName().toString(), model, MINILM_CONFIG, listener));

    ObjectNode description = JSON.createObjectNode();
    description.set("config", JSON.valueToTree(MINILM_CONFIG));
    description.put("baseSha256", Sha256.of(partial.resolve("model.safetensors")));
    description.put("basisSha256", Sha256.of(partial.resolve("basis.safetensors")));
    description.put("tokenizerSha256", Sha256.of(partial.resolve("tokenizer.json")));
    JSON.writerWithDefaultPrettyPrinter()
        .writeValue(partial.resolve(DESCRIPTION).toFile(), description);
    deleteRecursively(directory);
    Files.move(partial, directory, StandardCopyOption.ATOMIC_MOVE);
  }

  private static List<Safetensors.Tensor> factorise(
      String name, Safetensors model, EncoderConfig config, Listener listener) {
    List<AdaptedWeight> weights = config.adaptedWeights();
    AtomicInteger done = new AtomicInteger();
    listener.preparing(name, 0, weights.size());
    SingularBasis[] bases = new SingularBasis[weights.size()];
    // Each decomposition runs on one thread, so their number does not reach the result.
    IntStream.range(0, weights.size())
        .parallel()
        .forEach(
            i -> {
              AdaptedWeight w = weights.get(i);
              float[] values = model.floats(w.name() + ".weight", w.out(), w.in());
              bases[i] = SingularBasis.of(values, w.out(), w.in());
              listener.preparing(name, done.incrementAndGet(), weights.size());
            });
    List<Safetensors.Tensor> tensors = new ArrayList<>();
    for (int i = 0; i < bases.length; i++) {
      AdaptedWeight w = weights.get(i);
      int n = w.rank();
      SingularBasis basis = bases[i];
      tensors.add(new Safetensors.Tensor(w.name() + ".U", new long[] {w.out(), n}, basis.u()));
      tensors.add(new Safetensors.Tensor(w.name() + ".S", new long[] {n}, basis.s()));
      tensors.add(new Safetensors.Tensor(w.name() + ".Vt", new long[] {n, w.in()}, basis.vt()));
    }
    return tensors;
  }

  private static ModelFiles open(String name, Path directory) throws IOException {
    ModelFiles files = describe(name, directory);
    requireHash(files.model(), files.baseSha256());
    requireHash(files.basis(), files.basisSha256());
    requireHash(files.tokenizer(), files.tokenizerSha256());
    return files;
  }

  private static ModelFiles describe(String name, Path directory) throws IOException {
    Path file = directory.resolve(DESCRIPTION);
    String why;
    try {
      JsonNode description = JSON.readTree(file.toFile());
      return new ModelFiles(
          name,
          directory,
          JSON.treeToValue(description.required("config"), EncoderConfig.class),
          description.required("baseSha256").asText(),
          description.required("basisSha256").asText(),
          description.required("tokenizerSha256").asText());
    } catch (JsonProcessingException e) {
      why = e.getOriginalMessage();
    } catch (IllegalArgumentException e) {
      why = e.getMessage();
    }
    throw new ModelException(
        "%s is broken: %s; delete %s to import the model again".formatted(file, why, directory));
  }

  private static void requireHash(Path file, String recorded) throws IOException {
    String actual = Sha256.of(file);
    if (!actual.equals(recorded)) {
      throw new ModelException(
          "%s has changed: its SHA-256 is %s, recorded was %s; restore the file, or delete %s to import the model again"
              .formatted(file, actual, recorded, file.getParent()));
    }
  }

  private static InputStream resource(String name) {
    InputStream in = ModelStore.class.getResourceAsStream(name);
    if (in == null) {
      throw new ModelException("the class path holds no " + name);
    }
    return in;
  }

  private static void write(
      Path file, Map<String, String> metadata, List<Safetensors.Tensor> tensors)
      throws IOException {
    try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 20)) {
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
