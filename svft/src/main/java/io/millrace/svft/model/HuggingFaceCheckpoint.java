package io.millrace.svft.model;

import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.SafetensorsException;
import io.millrace.svft.tensor.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * A directory as Hugging Face transformers and sentence-transformers write it: {@code config.json},
 * {@code model.safetensors}, {@code tokenizer.json}, and optionally {@code tokenizer_config.json}
 * and the files of {@link SentenceTransformer}. A directory that Millrace exported is one as well:
 * its head is left out.
 *
 * <p>Checkpoints of task models prefix the encoder's names, and checkpoints converted from
 * TensorFlow call the weight and bias of a normalisation gamma and beta. Both are mapped to the
 * names of {@link Architecture}.
 */
final class HuggingFaceCheckpoint implements ModelSource {
  private static final String PICKLED =
      "it holds the model as Python objects: load it with transformers and save it with"
          + " save_pretrained(directory, safe_serialization=True)";

  private static final int NAME_HASH_LENGTH = 12;

  /**
   * The longest part of a model's name that its directory gives, in bytes of UTF-8: with the hash
   * and the store's suffixes it fits into the 255 bytes that file systems allow.
   */
  private static final int LONGEST_NAME = 234;

  /** What a tensor's file is called in directories that are not read, and what to do then. */
  private static final Map<String, String> OTHER_FORMATS =
      Map.of(
          "model.safetensors.index.json",
          "it holds the model in several files: load it with transformers and save it as one, with"
              + " save_pretrained(directory, max_shard_size=\"100GB\")",
          "pytorch_model.bin",
          PICKLED,
          "pytorch_model.bin.index.json",
          PICKLED,
          "tf_model.h5",
          "it holds the model for TensorFlow: load it with transformers, from_tf=True, and save it"
              + " with save_pretrained(directory)",
          "flax_model.msgpack",
          "it holds the model for Flax: load it with transformers, from_flax=True, and save it with"
              + " save_pretrained(directory)");

  /**
   * Tensors known not to belong to the encoder: pooler, heads of pre-training, a constant buffer.
   */
  private static final String LEFT_OUT =
      "(pooler|cls|lm_head|vocab_transform|vocab_layer_norm|vocab_projector)\\..*"
          + "|embeddings\\.position_ids";

  /** The head, in a directory that Millrace wrote. */
  private static final String OWN_HEAD = "(pre_)?classifier\\..*";

  private final Path directory;
  private final String fileSha256;

  /** How the version was pooled that Millrace merged into this directory; empty for others. */
  private final Optional<Pooling> own;

  /**
   * Hashes the directory's tensor file. {@link #read} does the rest.
   *
   * @throws ModelException if the directory has no {@code model.safetensors}
   */
  HuggingFaceCheckpoint(Path directory) throws IOException {
    this.directory = directory.toAbsolutePath().normalize();
    if (this.directory.getFileName() == null) {
      throw new ModelException(directory + " is no model directory: it has no name");
    }
    SentenceTransformer.requireTransformerBeside(this.directory);
    this.own = provenance();
    this.fileSha256 = Sha256.of(requireTensors());
  }

  /**
   * The directory's name, shortened if a file could not have it, and the first digits of the
   * SHA-256 of its {@code model.safetensors}.
   */
  @Override
  public String name() {
    String name = directory.getFileName().toString();
    while (name.getBytes(StandardCharsets.UTF_8).length > LONGEST_NAME) {
      name = name.substring(0, name.offsetByCodePoints(name.length(), -1));
    }
    return name + "-" + fileSha256.substring(0, NAME_HASH_LENGTH);
  }

  private Optional<Pooling> provenance() throws IOException {
    Path path = directory.resolve(ModelFiles.PROVENANCE);
    if (!Files.exists(path)) {
      return Optional.empty();
    }
    SettingsFile file = new SettingsFile(path);
    String pooling = file.value("pooling").asText();
    Optional<Pooling> how =
        Arrays.stream(Pooling.values()).filter(each -> each.id().equals(pooling)).findFirst();
    file.requireThat("pooling", how.isPresent(), "it is mean or cls");
    return how;
  }

  private Path requireTensors() throws IOException {
    Path tensors = directory.resolve("model.safetensors");
    if (!Files.isRegularFile(tensors)) {
      for (String other : new TreeSet<>(OTHER_FORMATS.keySet())) {
        if (Files.exists(directory.resolve(other))) {
          throw new ModelException(
              "%s is missing; the directory has %s: %s"
                  .formatted(tensors, other, OTHER_FORMATS.get(other)));
        }
      }
    }
    return require("model.safetensors");
  }

  @Override
  public Checkpoint read() throws IOException {
    Description described = describe();
    EncoderConfig config = described.config();
    byte[] tokenizer = tokenizer(described);
    Path file = require("model.safetensors");
    try {
      Safetensors stored = Safetensors.open(file);
      // Refuses a number of layers that the file cannot have before anything is sized by it.
      if (config.layers() > stored.names().size()) {
        throw new ModelException(
            "%s has %d tensors; config.json says %d layers"
                .formatted(file, stored.names().size(), config.layers()));
      }
      List<String> leftOut = new ArrayList<>();
      List<Safetensors.StoredTensor> tensors =
          tensors(file, stored, config, own.isPresent(), leftOut);
      Checkpoint.requireTensors(file.toString(), config, tensors);
      return new Checkpoint(
          config, tensors, tokenizer, described.texts(), leftOut, Optional.of(fileSha256));
    } catch (SafetensorsException e) {
      throw new ModelException(
          e.getMessage().startsWith(file.toString())
              ? e.getMessage()
              : file + ": " + e.getMessage(),
          e);
    }
  }

  /**
   * Checks that the directory's configuration and tokenizer are those that a stored model was
   * imported with. The model's name covers the tensors only.
   *
   * @throws ModelException if config, pooling or tokenizer have changed since the import
   */
  void requireSame(ModelFiles stored) throws IOException {
    Description described = describe();
    if (!described.config().equals(stored.config())) {
      throw changed(stored, "configuration", stored.config(), described.config());
    }
    if (!described.texts().equals(stored.texts())) {
      throw changed(stored, "treatment of texts", stored.texts(), described.texts());
    }
    String tokenizer = Sha256.of(require("tokenizer.json"));
    if (!tokenizer.equals(stored.tokenizerSha256())) {
      throw changed(stored, "tokenizer.json", stored.tokenizerSha256(), tokenizer);
    }
  }

  private ModelException changed(ModelFiles stored, String what, Object then, Object now) {
    return new ModelException(
        "%s: its %s has changed since it was imported: it was %s, it is %s; delete %s to import it again"
            .formatted(directory, what, then, now, stored.directory()));
  }

  /** What the directory's files say about the encoder and about texts. */
  private record Description(EncoderConfig config, TextSettings texts) {}

  private Description describe() throws IOException {
    ConfigFile config = new ConfigFile(require("config.json"));
    require(ModelFiles.TOKENIZER);
    SentenceTransformer sentence =
        SentenceTransformer.read(directory, own.isPresent(), own.orElse(Pooling.MEAN));
    EncoderConfig read = config.encoder(sentence.pooling());
    sentence.requireWidth(read.hidden());
    Optional<Long> tokenizers = TokenizerSettings.read(directory).maxTokens();
    long longest = sentence.maxTokens().or(() -> tokenizers).orElse(Long.MAX_VALUE);
    int most = TextSettings.of(read).maxTokens();
    return new Description(
        read, new TextSettings((int) Math.min(most, longest), sentence.lowerCase()));
  }

  /** The content of the tokenizer's file, checked against the vocabulary. */
  private byte[] tokenizer(Description described) throws IOException {
    Path file = require(ModelFiles.TOKENIZER);
    byte[] content = Files.readAllBytes(file);
    TokenizerFile.requireFits(file.toString(), content, described.config().vocabulary());
    // Refuses a file that the native library cannot read before anything is computed.
    int added;
    try (TextTokenizer whole = new TextTokenizer(file, TextSettings.of(described.config()))) {
      added = whole.encode(List.of(""))[0].length;
    }
    if (described.texts().maxTokens() <= added) {
      throw new ModelException(
          "%s: texts have at most %d tokens, of which %d are special: nothing of a text is left"
              .formatted(directory, described.texts().maxTokens(), added));
    }
    return content;
  }

  private static List<Safetensors.StoredTensor> tensors(
      Path file, Safetensors stored, EncoderConfig config, boolean own, List<String> leftOut) {
    Map<String, String> originals = new TreeMap<>();
    Set<String> expected = config.tensors().keySet();
    List<Safetensors.StoredTensor> tensors = new ArrayList<>();
    for (String original : stored.names()) {
      String name = normalised(original, config.architecture());
      if (name.matches(LEFT_OUT) || (own && name.matches(OWN_HEAD))) {
        leftOut.add(original);
        continue;
      }
      String other = originals.put(name, original);
      if (other != null) {
        throw new ModelException(
            "%s: tensors %s and %s are both %s"
                .formatted(
                    file,
                    Safetensors.oneLine(other),
                    Safetensors.oneLine(original),
                    Safetensors.oneLine(name)));
      }
      if (!expected.contains(name)) {
        throw new ModelException(
            "%s: tensor %s does not belong to a %s encoder of %d layers"
                .formatted(
                    file,
                    Safetensors.oneLine(original),
                    config.architecture().id(),
                    config.layers()));
      }
      tensors.add(new Safetensors.StoredTensor(name, stored, original));
    }
    return tensors;
  }

  private static String normalised(String name, Architecture architecture) {
    String prefix = architecture.id() + ".";
    return (name.startsWith(prefix) ? name.substring(prefix.length()) : name)
        .replaceFirst("\\.gamma$", ".weight")
        .replaceFirst("\\.beta$", ".bias");
  }

  private Path require(String file) {
    Path path = directory.resolve(file);
    if (!Files.isRegularFile(path)) {
      throw new ModelException(
          "%s is missing; a Hugging Face directory holds config.json, model.safetensors and tokenizer.json"
              .formatted(path));
    }
    return path;
  }
}
