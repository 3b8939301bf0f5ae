package io.millrace.svft.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;

/** The ids in a {@code tokenizer.json}, read without loading the tokenizer. */
final class TokenizerFile {
  private final String file;
  private long largest = -1;
  private String where;

  private TokenizerFile(String file) {
    this.file = file;
  }

  /**
   * Checks that every id that the tokenizer can return is a row of the word embedding. There may be
   * more rows than ids, because vocabularies are often padded.
   *
   * @param file the file to name in messages
   * @param content of the file
   * @param vocabulary rows of the word embedding
   * @throws ModelException if an id has no row, or the content is not a tokenizer
   */
  static void requireFits(String file, byte[] content, int vocabulary) {
    TokenizerFile tokenizer = new TokenizerFile(file);
    try {
      tokenizer.read(new ObjectMapper().readTree(content));
    } catch (IOException e) {
      throw new ModelException(file + ": not a tokenizer: it is not JSON", e);
    }
    if (tokenizer.largest >= vocabulary) {
      throw new ModelException(
          "%s does not fit the vocabulary: its largest id is %d (in %s), the word embedding has %d rows"
              .formatted(file, tokenizer.largest, tokenizer.where, vocabulary));
    }
  }

  private void read(JsonNode root) {
    JsonNode tokens = root.path("model").path("vocab");
    if (!tokens.isContainerNode() || tokens.isEmpty()) {
      throw new ModelException(file + ": not a tokenizer: model.vocab is missing or empty");
    }
    if (tokens.isArray()) {
      // A unigram model lists its tokens in the order of their ids.
      see("model.vocab", tokens.size() - 1);
    } else {
      tokens.forEach(id -> see("model.vocab", id));
    }
    root.path("added_tokens").forEach(token -> see("added_tokens", token.path("id")));
    seeSpecialTokens(root.path("post_processor"));
  }

  /**
   * Reads the special tokens that a processor adds to a text: those of a template or of a pair,
   * possibly nested in a sequence of processors.
   */
  private void seeSpecialTokens(JsonNode processor) {
    for (JsonNode special : processor.path("special_tokens")) {
      special.path("ids").forEach(id -> see("post_processor", id));
    }
    for (String end : new String[] {"sep", "cls"}) {
      if (processor.has(end)) {
        see("post_processor", processor.path(end).path(1));
      }
    }
    processor.path("processors").forEach(this::seeSpecialTokens);
  }

  private void see(String field, JsonNode id) {
    if (!id.isIntegralNumber() || !id.canConvertToLong() || id.asLong() < 0) {
      throw new ModelException(
          "%s: not a tokenizer: %s holds the id %s"
              .formatted(
                  file, field, id.isMissingNode() ? "(none)" : Safetensors.oneLine(id.toString())));
    }
    see(field, id.asLong());
  }

  private void see(String field, long id) {
    if (id > largest) {
      largest = id;
      where = field;
    }
  }
}
