package io.millrace.svft.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.TextSettings;
import io.millrace.svft.tensor.JsonText;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class ExportedTokenizerTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** A unigram tokenizer in the form of RoBERTa's, with a padding token of another name. */
  private static final String UNIGRAM =
      """
      {"version": "1.0", "truncation": null, "padding": {"strategy": {"Fixed": 128}, "pad_token": "<s>"},
       "added_tokens": [{"id": 0, "content": "<s>"}, {"id": 2, "content": "</s>"}, {"id": 5, "content": "<mask>"}],
       "post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel"},
         {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]}]},
       "model": {"type": "Unigram", "unk_id": 3,
         "vocab": [["<s>", 0.0], ["<nothing>", -1e-300], ["</s>", 0.0], ["<unk>", 0.0],
                   ["\u2581caf\u00e9", -3.00000000000000000001]]}}
      """;

  @TempDir private Path directory;

  @Test
  void onlyPaddingAndTruncationChangeNotADigitElsewhere() throws IOException {
    String text = JsonText.pretty(read(UNIGRAM, Architecture.ROBERTA).tokenizer());

    assertThat(text).contains("-3.00000000000000000001").contains("\u2581caf\u00e9");
    ObjectNode after = (ObjectNode) JSON.readTree(text);
    ObjectNode before = (ObjectNode) JSON.readTree(UNIGRAM);
    assertThat(after.path("padding").isNull()).isTrue();
    assertThat(after.path("truncation"))
        .isEqualTo(
            JSON.readTree(
                "{'direction':'Right','max_length':100,'strategy':'LongestFirst','stride':0}"
                    .replace('\'', '"')));
    List<String> settings = List.of("padding", "truncation");
    assertThat(after.remove(settings)).isEqualTo(before.remove(settings));
  }

  /** RoBERTa derives positions from the id of the padding token. */
  @Test
  void robertasPaddingTokenIsTheOneItsPositionsStartBehind() throws IOException {
    ExportedTokenizer tokenizer = read(UNIGRAM, Architecture.ROBERTA);

    assertThat(tokenizer.padding()).isEqualTo(1);
    assertThat(tokenizer.specialTokens())
        .isEqualTo(
            json(
                "{'sep_token':'</s>','cls_token':'<s>','mask_token':'<mask>','pad_token':'<nothing>'}"));
  }

  @Test
  void anotherModelPadsAsTheFileDoes() throws IOException {
    assertThat(read(UNIGRAM, Architecture.BERT).padding()).isZero();
  }

  @Test
  void aTemplateSaysWhatStandsAroundAText() throws IOException {
    String template =
        """
        {"added_tokens": [{"id": 7, "content": "[BEGIN]"}, {"id": 8, "content": "[END]"}],
         "post_processor": {"type": "TemplateProcessing",
           "single": [{"SpecialToken": {"id": "B", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                      {"SpecialToken": {"id": "E", "type_id": 0}}],
           "special_tokens": {"B": {"id": "B", "ids": [7], "tokens": ["[BEGIN]"]},
                              "E": {"id": "E", "ids": [8], "tokens": ["[END]"]}}},
         "model": {"type": "WordPiece", "unk_token": "a", "vocab": {"a": 0, "b": 1}}}
        """;

    ExportedTokenizer tokenizer = read(template, Architecture.DISTILBERT);

    // "a" occurs in texts. If it were named as a special token, it would be tokenized as one.
    assertThat(tokenizer.specialTokens())
        .isEqualTo(json("{'sep_token':'[END]','cls_token':'[BEGIN]','pad_token':'[END]'}"));
    assertThat(tokenizer.padding()).isEqualTo(8);
    assertThat(tokenizer.configuration().path("model_input_names"))
        .extracting(JsonNode::asText)
        .containsExactly("input_ids", "attention_mask");
  }

  @Test
  void oneWithoutATokenToPadWithIsRefused() {
    assertThatThrownBy(() -> read("{\"model\": {\"vocab\": {\"a\": 0}}}", Architecture.BERT))
        .isInstanceOf(ModelException.class)
        .hasMessage(
            directory.resolve("tokenizer.json") + ": there is no token to pad with, such as [PAD]");
  }

  private ExportedTokenizer read(String content, Architecture architecture) throws IOException {
    Path file = Files.writeString(directory.resolve("tokenizer.json"), content);
    return ExportedTokenizer.read(
        file, HuggingFaceDirectory.shape(architecture), new TextSettings(100, false));
  }

  private static JsonNode json(String text) throws IOException {
    return JSON.readTree(text.replace('\'', '"'));
  }
}
