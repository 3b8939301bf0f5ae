package io.millrace.svft.export;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.TextSettings;
import io.millrace.svft.tensor.JsonText;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The tokenizer files of an export, which the fast tokenizers of transformers load. They are made
 * from {@code tokenizer.json} alone and give the same tokens. Texts are truncated to the longest
 * sequence that the encoder reads here, and padded per batch.
 */
final class ExportedTokenizer {
  private final Path file;
  private final ObjectNode tokenizer;
  private final TextSettings texts;
  private final Map<String, Integer> ids = new LinkedHashMap<>();
  private final ObjectNode special = JsonText.object();

  private ExportedTokenizer(Path file, ObjectNode tokenizer, TextSettings texts) {
    this.file = file;
    this.tokenizer = tokenizer;
    this.texts = texts;
  }

  /**
   * Reads a tokenizer whose ids have been checked against the vocabulary.
   *
   * @param file a {@code tokenizer.json}
   * @param config the shape of the encoder
   * @param texts what happens to a text apart from that file
   * @throws ModelException if the tokenizer has no token to pad with
   */
  static ExportedTokenizer read(Path file, EncoderConfig config, TextSettings texts)
      throws IOException {
    ExportedTokenizer read = new ExportedTokenizer(file, (ObjectNode) JsonText.read(file), texts);
    read.findSpecialTokens(config);
    return read;
  }

  /** The content of {@code tokenizer.json}. */
  ObjectNode tokenizer() {
    ObjectNode written = tokenizer.deepCopy();
    written
        .putObject("truncation")
        .put("direction", "Right")
        .put("max_length", texts.maxTokens())
        .put("strategy", "LongestFirst")
        .put("stride", 0);
    if (texts.lowerCase()) {
      lowerCase(written);
    }
    return written.putNull("padding");
  }

  /**
   * Puts texts into lower case before all else that the tokenizer does to them, except that it
   * finds special tokens by their own spelling first.
   */
  private static void lowerCase(ObjectNode tokenizer) {
    JsonNode before = tokenizer.path("normalizer");
    ObjectNode sequence = JsonText.object().put("type", "Sequence");
    ArrayNode steps = sequence.putArray("normalizers");
    steps.addObject().put("type", "Lowercase");
    if (before.isObject()) {
      steps.add(before);
    }
    tokenizer.set("normalizer", sequence);
  }

  /** The content of {@code tokenizer_config.json}. */
  ObjectNode configuration() {
    ObjectNode json =
        JsonText.object()
            .put("tokenizer_class", "PreTrainedTokenizerFast")
            .put("model_max_length", texts.maxTokens())
            .put("padding_side", "right")
            .put("truncation_side", "right")
            .put("clean_up_tokenization_spaces", false);
    // No token_type_ids: every token has type 0, the default of the models; DistilBERT has no
    // types.
    json.putArray("model_input_names").add("input_ids").add("attention_mask");
    json.setAll(special);
    return json;
  }

  /** The content of {@code special_tokens_map.json}. */
  ObjectNode specialTokens() {
    return special;
  }

  /** The id of the token to pad with. */
  int padding() {
    return ids.get(special.get("pad_token").asText());
  }

  private void findSpecialTokens(EncoderConfig config) {
    readIds();
    List<String> around = aroundAText(tokenizer.path("post_processor"));
    String first = around.isEmpty() ? "" : around.get(0);
    String last = around.isEmpty() ? "" : around.get(around.size() - 1);
    choose("unk_token", tokenizer.path("model").path("unk_token").asText(), "[UNK]", "<unk>");
    choose("sep_token", last, "[SEP]", "</s>");
    choose("cls_token", first, "[CLS]", "<s>");
    choose("mask_token", "[MASK]", "<mask>");
    special.put("pad_token", paddingToken(config));
  }

  private void readIds() {
    JsonNode tokens = tokenizer.path("model").path("vocab");
    if (tokens.isArray()) {
      for (int id = 0; id < tokens.size(); id++) {
        ids.putIfAbsent(tokens.get(id).path(0).asText(), id);
      }
    } else {
      tokens.properties().forEach(token -> ids.put(token.getKey(), token.getValue().asInt()));
    }
    tokenizer
        .path("added_tokens")
        .forEach(token -> ids.put(token.path("content").asText(), token.path("id").asInt()));
  }

  /**
   * Sets a role to the first candidate that is an added token. A token of the vocabulary that is
   * not an added token is left out: naming it here would add it, and a text that spells it would be
   * tokenized differently.
   */
  private void choose(String role, String... candidates) {
    List<String> added = tokenizer.path("added_tokens").findValuesAsText("content");
    for (String candidate : candidates) {
      if (added.contains(candidate)) {
        special.put(role, candidate);
        return;
      }
    }
  }

  /**
   * The special tokens that a post-processor, a template or a pair of tokens, adds to a text, in
   * order.
   */
  private static List<String> aroundAText(JsonNode processor) {
    List<String> tokens = new ArrayList<>();
    for (JsonNode part : processor.path("single")) {
      if (part.has("SpecialToken")) {
        JsonNode named = processor.path("special_tokens");
        named = named.path(part.path("SpecialToken").path("id").asText()).path("tokens");
        named.forEach(token -> tokens.add(token.asText()));
      }
    }
    if (processor.has("cls") && processor.has("sep")) {
      tokens.add(processor.path("cls").path(0).asText());
      tokens.add(processor.path("sep").path(0).asText());
    }
    processor.path("processors").forEach(each -> tokens.addAll(aroundAText(each)));
    return tokens;
  }

  /**
   * The token to pad with. Padding is masked, so any token serves, except in RoBERTa, which derives
   * positions from the id of the padding token.
   */
  private String paddingToken(EncoderConfig config) {
    List<String> candidates = new ArrayList<>();
    if (config.architecture() == Architecture.ROBERTA) {
      ids.forEach(
          (token, id) -> {
            if (id == config.paddingRow().orElse(-1)) {
              candidates.add(token);
            }
          });
    }
    candidates.add(tokenizer.path("padding").path("pad_token").asText());
    candidates.addAll(List.of("[PAD]", "<pad>"));
    for (String other : List.of("sep_token", "cls_token", "unk_token")) {
      candidates.add(special.path(other).asText());
    }
    return candidates.stream()
        .filter(ids::containsKey)
        .findFirst()
        .orElseThrow(
            () -> new ModelException(file + ": there is no token to pad with, such as [PAD]"));
  }
}
