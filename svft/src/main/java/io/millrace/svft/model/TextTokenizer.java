package io.millrace.svft.model;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** A model's tokenizer. It truncates texts to a longest sequence and does not pad. */
final class TextTokenizer implements AutoCloseable {
  private final HuggingFaceTokenizer tokenizer;
  private final boolean lowerCase;

  /**
   * @param file a {@code tokenizer.json}
   * @param settings what happens to a text apart from that file
   * @throws ModelException if the file is not a tokenizer, or the tokenizer adds no special tokens
   */
  TextTokenizer(Path file, TextSettings settings) {
    this.lowerCase = settings.lowerCase();
    try {
      // Overrides the settings in the file, which pad to 128 tokens: a packed batch needs no
      // padding.
      this.tokenizer =
          HuggingFaceTokenizer.newInstance(
              file,
              Map.of(
                  "padding", "false",
                  "truncation", "true",
                  "maxLength", Integer.toString(settings.maxTokens())));
    } catch (IOException | RuntimeException e) {
      // The native library throws a plain RuntimeException for a file that it cannot parse.
      throw new ModelException(file + ": not a tokenizer", e);
    }
    if (encode(List.of(""))[0].length == 0) {
      tokenizer.close();
      throw new ModelException(
          file + ": adds no special tokens, so that some texts would have no tokens at all");
    }
  }

  /** The token ids of each text, in order. */
  long[][] encode(List<String> texts) {
    List<String> read =
        lowerCase ? texts.stream().map(text -> text.toLowerCase(Locale.ROOT)).toList() : texts;
    Encoding[] encodings = tokenizer.batchEncode(read);
    long[][] ids = new long[encodings.length][];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = encodings[i].getIds();
    }
    return ids;
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
