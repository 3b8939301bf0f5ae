package io.millrace.svft.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The {@code tokenizer_config.json} beside a {@code tokenizer.json}. transformers changes some
 * parts of the tokenizer to what this file says. A directory whose files disagree is refused,
 * because its texts would have other tokens there than here.
 *
 * @param maxTokens {@code model_max_length}, if the file states it
 */
record TokenizerSettings(Optional<Long> maxTokens) {
  static final String FILE = "tokenizer_config.json";

  /** Fields of the file, and what they are called in a normalizer of type BertNormalizer. */
  private static final Map<String, String> BERT =
      Map.of(
          "do_lower_case", "lowercase",
          "strip_accents", "strip_accents",
          "tokenize_chinese_chars", "handle_chinese_chars");

  /** The same for a pre-tokenizer of type ByteLevel. */
  private static final Map<String, String> BYTE_LEVEL =
      Map.of("add_prefix_space", "add_prefix_space");

  static TokenizerSettings read(Path directory) throws IOException {
    Path path = directory.resolve(FILE);
    if (!Files.exists(path)) {
      return new TokenizerSettings(Optional.empty());
    }
    SettingsFile file = new SettingsFile(path);
    // This class takes tokenizer.json as it is.
    if (!file.value("tokenizer_class").asText().startsWith("PreTrainedTokenizer")) {
      JsonNode tokenizer = ConfigFile.object(directory.resolve(ModelFiles.TOKENIZER));
      requireSame(file, tokenizer.path("normalizer"), "BertNormalizer", BERT);
      requireSame(file, tokenizer.path("pre_tokenizer"), "ByteLevel", BYTE_LEVEL);
    }
    return new TokenizerSettings(file.count("model_max_length"));
  }

  private static void requireSame(
      SettingsFile file, JsonNode parts, String type, Map<String, String> fields) {
    for (JsonNode part : ofType(parts, type)) {
      fields.forEach(
          (field, inTokenizer) -> {
            JsonNode said = file.value(field);
            JsonNode there = part.path(inTokenizer);
            file.requireThat(
                field,
                said.isMissingNode()
                    || there.isMissingNode()
                    || meant(said, part).equals(meant(there, part)),
                "%s of the %s in %s is %s; make them equal, or save the tokenizer again with transformers"
                    .formatted(inTokenizer, type, ModelFiles.TOKENIZER, there));
          });
    }
  }

  /** Null, which only {@code strip_accents} may be, means what {@code lowercase} says. */
  private static JsonNode meant(JsonNode value, JsonNode part) {
    return value.isNull() ? part.path("lowercase") : value;
  }

  /** The parts of a type, also within a sequence of parts. */
  private static List<JsonNode> ofType(JsonNode part, String type) {
    List<JsonNode> found = new ArrayList<>();
    if (part.path("type").asText().equals(type)) {
      found.add(part);
    }
    for (String sequence : new String[] {"normalizers", "pretokenizers"}) {
      part.path(sequence).forEach(each -> found.addAll(ofType(each, type)));
    }
    return found;
  }
}
