package io.millrace.svft.model;

/**
 * What happens to a text before and while it is cut into tokens, apart from {@code tokenizer.json}.
 *
 * @param maxTokens the longest sequence, special tokens included; longer texts are truncated
 * @param lowerCase whether texts are put into lower case first, names of special tokens included
 */
public record TextSettings(int maxTokens, boolean lowerCase) {
  /** Those of an encoder whose files say nothing else. */
  public static TextSettings of(EncoderConfig config) {
    return new TextSettings(Math.min(BaseModel.MAX_TOKENS, config.maxPositions()), false);
  }
}
