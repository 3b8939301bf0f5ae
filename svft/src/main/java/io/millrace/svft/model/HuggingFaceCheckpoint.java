package io.millrace.svft.model;

import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.SafetensorsException;
import io.millrace.svft.tensor.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * A directory as Hugging Face transformers and sentence-transformers write it: {@code config.json},
 * {@code model.safetensors}, {@code tokenizer.json}, and optionally {@code modules.json} with the
 * pooling's {@code config.json}.
 *
 * <p>Checkpoints of task models prefix the encoder's names, and checkpoints converted from
 * TensorFlow call the weight and bias of a normalisation gamma and beta. Both are mapped to the
 * names of {@link Architecture}.
 */
final class HuggingFaceCheckpoint implements ModelSource {
  private static final int NAME_HASH_LENGTH = 12;

  /**
   * Tensors known not to belong to the encoder: pooler, heads of pre-training, a constant buffer.
   */
  private static final String LEFT_OUT =
      "(pooler|cls|lm_head|vocab_transform|vocab_layer_norm|vocab_projector)\\..*"
          + "|embeddings\\.position_ids";

  private final Path directory;
  private final String fileSha256;

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
    this.fileSha256 = Sha256.of(require("model.safetensors"));
  }

  /** The directory's name and the first digits of the SHA-256 of its {@code model.safetensors}. */
  @Override
  public String name() {
    return directory.getFileName() + "-" + fileSha256.substring(0, NAME_HASH_LENGTH);
  }

  @Override
  public Checkpoint read() throws IOException {
    EncoderConfig config = config();
    byte[] tokenizer = tokenizer(config);
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
      List<Safetensors.StoredTensor> tensors = tensors(file, stored, config, leftOut);
      Checkpoint.requireTensors(file.toString(), config, tensors);
      return new Checkpoint(config, tensors, tokenizer, leftOut, Optional.of(fileSha256));
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
    EncoderConfig config = config();
    if (!config.equals(stored.config())) {
      throw changed(stored, "configuration", stored.config(), config);
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

  /** The encoder's shape, from {@code config.json} and the pooling's files. */
  private EncoderConfig config() throws IOException {
    ConfigFile config = new ConfigFile(require("config.json"));
    SentenceTransformer sentence = SentenceTransformer.read(directory);
    EncoderConfig read = config.encoder(sentence.pooling());
    sentence.requireWidth(read.hidden());
    return read;
  }

  /** The content of the tokenizer's file, checked against the vocabulary. */
  private byte[] tokenizer(EncoderConfig config) throws IOException {
    Path file = require("tokenizer.json");
    byte[] content = Files.readAllBytes(file);
    TokenizerFile.requireFits(file.toString(), content, config.vocabulary());
    // Refuses a file that the native library cannot read before anything is computed.
    new TextTokenizer(file, config.maxPositions()).close();
    return content;
  }

  private static List<Safetensors.StoredTensor> tensors(
      Path file, Safetensors stored, EncoderConfig config, List<String> leftOut) {
    Map<String, String> originals = new TreeMap<>();
    Set<String> expected = config.tensors().keySet();
    List<Safetensors.StoredTensor> tensors = new ArrayList<>();
    for (String original : stored.names()) {
      String name = normalised(original, config.architecture());
      if (name.matches(LEFT_OUT)) {
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
