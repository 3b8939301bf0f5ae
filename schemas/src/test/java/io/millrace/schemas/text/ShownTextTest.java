package io.millrace.schemas.text;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class ShownTextTest {
  @ParameterizedTest
  @CsvSource({
    "27, \\u001b",
    "13, \\r",
    "10, \\n",
    "9, \\t",
    "0, \\u0000",
    "127, \\u007f",
    "133, \\u0085",
    "155, \\u009b",
    // Left-to-right mark, Arabic letter mark, embeddings, overrides and isolates.
    "8206, \\u200e",
    "8207, \\u200f",
    "1564, \\u061c",
    "8234, \\u202a",
    "8238, \\u202e",
    "8294, \\u2066",
    "8297, \\u2069",
    "8232, \\u2028",
    "8233, \\u2029",
    "65279, \\ufeff",
    "8203, \\u200b",
    // A tag, which is invisible.
    "917569, \\udb40\\udc41",
    // Half of a pair.
    "55357, \\ud83d"
  })
  void whatATerminalObeysOrHidesIsShown(int character, String shown) {
    String text = "a" + Character.toString(character) + "b";

    assertThat(ShownText.of(text)).isEqualTo("a" + shown + "b");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "reviews",
        "a/b c@7%20\\",
        "ünïcödé 😀",
        "👩‍👩‍👧",
        "می‌خواهم",
        "שלום",
        "日本語"
      })
  void otherTextIsUnchanged(String text) {
    assertThat(ShownText.of(text)).isEqualTo(text);
  }

  @Test
  void linesKeepTheirEndsAndTabulators() {
    assertThat(ShownText.lines("a\n\tb\r\u001b[2K")).isEqualTo("a\n\tb\\r\\u001b[2K");
  }

  @Test
  void jsonThatIsEscapedIsTheSameJson() throws Exception {
    ObjectMapper json = new ObjectMapper();
    JsonNode names = json.createArrayNode().add("b\u202etxet").add("\u007f\u009b\udb40\udc41");

    String shown = ShownText.lines(json.writeValueAsString(names));

    assertThat(shown).matches("[ -~]*");
    assertThat(json.readTree(shown)).isEqualTo(names);
  }
}
