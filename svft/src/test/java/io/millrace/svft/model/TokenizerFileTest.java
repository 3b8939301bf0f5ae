package io.millrace.svft.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.svft.export.HuggingFaceDirectory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("unit")
class TokenizerFileTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'model': {'vocab': {'a': 0, 'b': 9}}} | 9 | model.vocab",
        "{'model': {'vocab': [['a', 0.0], ['b', -1.5], ['c', -2.5]]}} | 2 | model.vocab",
        "{'model': {'vocab': {'a': 0}}, 'added_tokens': [{'id': 7}, {'id': 3}]} | 7 | added_tokens",
        "{'model': {'vocab': {'a': 0}}, 'post_processor': {'type': 'RobertaProcessing', 'sep': ['</s>', 2], 'cls': ['<s>', 5]}} | 5 | post_processor",
        "{'model': {'vocab': {'a': 4}}, 'post_processor': null} | 4 | model.vocab",
      })
  void theLargestIdIsTheLastThatFits(String json, int largest, String field) {
    byte[] content = json.replace('\'', '"').getBytes(StandardCharsets.UTF_8);

    assertThatCode(() -> TokenizerFile.requireFits("t.json", content, largest + 1))
        .doesNotThrowAnyException();
    assertThatThrownBy(() -> TokenizerFile.requireFits("t.json", content, largest))
        .isInstanceOf(ModelException.class)
        .hasMessage(
            "t.json does not fit the vocabulary: its largest id is %d (in %s), the word embedding has %d rows"
                .formatted(largest, field, largest));
  }

  @Test
  void theTestsOwnTokenizerGivesTheIdsItsFileSays(@TempDir Path directory) throws Exception {
    HuggingFaceDirectory.of(Architecture.BERT).write(directory);

    try (TextTokenizer tokenizer =
        new TextTokenizer(directory.resolve("tokenizer.json"), new TextSettings(6, false))) {
      assertThat(tokenizer.encode(List.of("a streams", "nowhere", "a a a a a a a a")))
          .isDeepEqualTo(new long[][] {{2, 4, 5, 8, 3}, {2, 1, 3}, {2, 4, 4, 4, 4, 3}});
    }
  }
}
