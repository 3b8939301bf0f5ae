package io.millrace.svft.model;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A model's tokenizer. Texts come out unpadded, cut to the longest sequence allowed. */
final class TextTokenizer implements AutoCloseable {
  private final HuggingFaceTokenizer tokenizer;

  /**
   * @param maxTokens longest sequence, special tokens included
   */
  TextTokenizer(Path file, int maxTokens) {
    try {
      // Settings in the file pad to 128 tokens; a packed batch needs none of them.
      this.tokenizer =
          HuggingFaceTokenizer.newInstance(
              file,
              Map.of(
                  "padding", "false",
                  "truncation", "true",
                  "maxLength", Integer.toString(maxTokens)));
    } catch (IOException | RuntimeException e) {
      // The native library reports what it cannot parse as a bare RuntimeException.
      throw new ModelException(file + ": not a tokenizer", e);
    }
    if (encode(List.of(""))[0].length == 0) {
      tokenizer.close();
      throw new ModelException(
          file + ": adds no special tokens, so that some texts would have no tokens at all");
    }
  }

  /** Token ids of each text, in order. */
  long[][] encode(List<String> texts) {
    Encoding[] encodings = tokenizer.batchEncode(texts);
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
