package io.millrace.svft.model;

import io.millrace.svft.tensor.Sha256;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * A base model in the store: the locations and hashes of its files.
 *
 * @param name its name in the store
 * @param directory holds {@code model.safetensors}, {@code basis.safetensors}, {@code
 *     tokenizer.json} and {@code model.json}
 * @param config the encoder's shape
 * @param baseSha256 SHA-256 of {@code model.safetensors}
 * @param basisSha256 SHA-256 of {@code basis.safetensors}
 * @param tokenizerSha256 SHA-256 of {@code tokenizer.json}
 * @param texts what happens to a text apart from that file
 */
public record ModelFiles(
    String name,
    Path directory,
    EncoderConfig config,
    String baseSha256,
    String basisSha256,
    String tokenizerSha256,
    TextSettings texts) {

  /** In an export, the file that records the adapter from which it was made. */
  public static final String PROVENANCE = "millrace.json";

  public static final String MODEL = "model.safetensors";
  static final String BASIS = "basis.safetensors";
  public static final String TOKENIZER = "tokenizer.json";

  /** A model whose texts are treated as its shape says. */
  public ModelFiles(
      String name,
      Path directory,
      EncoderConfig config,
      String baseSha256,
      String basisSha256,
      String tokenizerSha256) {
    this(
        name, directory, config, baseSha256, basisSha256, tokenizerSha256, TextSettings.of(config));
  }

  /**
   * Names how texts become tokens: the SHA-256 of {@code tokenizer.json}, and, where texts are
   * treated otherwise than the shape alone says, of that hash and the settings.
   */
  public String textsSha256() {
    if (texts.equals(TextSettings.of(config))) {
      return tokenizerSha256;
    }
    String both =
        "%s maxTokens=%d lowerCase=%b"
            .formatted(tokenizerSha256, texts.maxTokens(), texts.lowerCase());
    return Sha256.of(both.getBytes(StandardCharsets.UTF_8));
  }

  public Path model() {
    return directory.resolve(MODEL);
  }

  public Path basis() {
    return directory.resolve(BASIS);
  }

  public Path tokenizer() {
    return directory.resolve(TOKENIZER);
  }
}
