package io.millrace.pipeline.input;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.operators.gate.ExampleRules;
import io.millrace.pipeline.input.LineReader.Line;
import io.millrace.pipeline.input.ParsedLine.Accepted;
import io.millrace.pipeline.input.ParsedLine.Rejected;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.RecordError;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class ExampleParserTest {
  private static final String REST = "\"domain\":\"d\",\"text\":\"t\",\"label\":\"l\"";

  private final ExampleParser parser =
      new ExampleParser(new ExampleLimits(100_000, false, ExampleRules.Limits.DEFAULT));

  @Test
  void everyFieldHasItsPlace() {
    LabeledExample example =
        accepted(
            """
            {"id": "a-1", "domain": "reviews", "text": "Tr\\u00e8s bon \uD83D\uDE00", "label": "positive",\
             "eventTime": "2026-01-31T12:00:00.5+02:00", "source": "shop"}""");

    assertThat(example)
        .isEqualTo(
            new LabeledExample(
                "a-1",
                "reviews",
                "Tr\u00e8s bon \uD83D\uDE00",
                "positive",
                Instant.parse("2026-01-31T10:00:00.5Z"),
                1f,
                Map.of("source", "shop")));
  }

  @Test
  void theIdDefaultsToTheLinesNumberAndTheTimeToNone() {
    LabeledExample example = accepted("{" + REST + "}");

    assertThat(example.getId()).isEqualTo("1");
    assertThat(example.getEventTime()).isNull();
    assertThat(accepted("{\"id\":null,\"eventTime\":null," + REST + "}")).isEqualTo(example);
    assertThat(accepted("{\"id\":17.50," + REST + "}").getId()).isEqualTo("17.50");
  }

  @Test
  void otherFieldsAreKeptAsTheyStand() {
    String line =
        "{\"n\": 1.10e2, \"list\" : [1, {\"a\":\"\u00fc}\"}] ,\"yes\":true,\"none\":null,"
            + REST
            + ",\"empty\":{}}";

    assertThat(accepted(line).getMetadata())
        .containsOnly(
            Map.entry("n", "1.10e2"),
            Map.entry("list", "[1, {\"a\":\"\u00fc}\"}]"),
            Map.entry("yes", "true"),
            Map.entry("none", "null"),
            Map.entry("empty", "{}"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "-17", "true", "false", "123456789012345678901234567890"})
  void aWholeNumberOrATruthValueIsALabelIfASettingSaysSo(String label) {
    String line = "{\"domain\":\"d\",\"text\":\"t\",\"label\":" + label + "}";
    ExampleParser scalars =
        new ExampleParser(new ExampleLimits(100_000, true, ExampleRules.Limits.DEFAULT));

    Accepted accepted = (Accepted) scalars.parse(new Line(1, line.getBytes(UTF_8), line.length()));

    assertThat(accepted.example().getLabel()).isEqualTo(label);
    assertThat(error(line).getMessage())
        .isEqualTo(
            "label is "
                + label
                + ", not a string; input.labels=scalars takes whole numbers, true and false as"
                + " their text");
  }

  @ParameterizedTest
  @ValueSource(strings = {"1.0", "1e3", "{}", "[\"a\"]"})
  void otherLabelsThanThoseAreRefusedAllTheSame(String label) {
    String line = "{\"domain\":\"d\",\"text\":\"t\",\"label\":" + label + "}";
    ExampleParser scalars =
        new ExampleParser(new ExampleLimits(100_000, true, ExampleRules.Limits.DEFAULT));

    ParsedLine parsed = scalars.parse(new Line(1, line.getBytes(UTF_8), line.length()));

    assertThat(((Rejected) parsed).error().getErrorClass()).isEqualTo("NotAString");
  }

  @Test
  void aMessageShowsWhatATerminalWouldObey() {
    assertThat(error("{\"\\u001b[2K\\u202e\":1,\"\\u001b[2K\\u202e\":2}").getMessage())
        .isEqualTo("key '\\u001b[2K\\u202e' stands there twice");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"a/b", "../..", "a b@7%20", "\u05d0\u202e\u05d1", "a\nb", "\u001b[2J", "-", "NaN"})
  void aDomainMayHaveAnyName(String domain) throws Exception {
    String line =
        new ObjectMapper().writeValueAsString(Map.of("domain", domain, "text", "t", "label", "l"));

    assertThat(accepted(line).getDomain()).isEqualTo(domain);
  }

  @Test
  void aDomainOfTenThousandCharactersIsTooLarge() {
    String line = "{\"domain\":\"" + "d".repeat(10_000) + "\",\"text\":\"t\",\"label\":\"l\"}";

    assertThat(error(line).getErrorClass()).isEqualTo("DomainTooLarge");
  }

  @Test
  void longMetadataIsKeptWhole() {
    String list = "[" + "\"\u20ac\", ".repeat(9_000) + "0]";

    assertThat(accepted("{" + REST + ",\"list\":" + list + "}").getMetadata())
        .containsEntry("list", list);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{",
        "{\"a\":1",
        "{'a':1}",
        "{} {}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "nonsense",
        "{\"a\":NaN}",
        "{\"a\":\"tab\there\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":01}",
        "\u00a0"
      })
  void whatIsNoJsonIsBroken(String line) {
    assertThat(error(line.equals("{} {}") ? "{" + REST + "} {}" : line).getErrorClass())
        .isEqualTo("BrokenJson");
  }

  @Test
  void jsonThatNestsTooDeepIsBroken() {
    assertThat(error("{" + REST + ",\"deep\":" + "[".repeat(5_000)).getErrorClass())
        .isEqualTo("BrokenJson");
  }

  @ParameterizedTest
  @ValueSource(strings = {"[]", "\"text\"", "1", "null", "[{}]"})
  void aLineIsAnObject(String line) {
    assertThat(error(line).getErrorClass()).isEqualTo("NotAnObject");
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      delimiter = '|',
      value = {
        "{\"text\":\"t\",\"label\":\"l\"}                     | MissingDomain",
        "{\"domain\":\"d\",\"label\":\"l\"}                   | MissingText",
        "{\"domain\":\"d\",\"text\":\"t\"}                    | MissingLabel",
        "{\"domain\":\"d\",\"text\":\"t\",\"label\":null}     | MissingLabel",
        "{\"domain\":\"d\",\"text\":\"  \",\"label\":\"l\"}   | BlankText",
        "{\"domain\":\"\",\"text\":\"t\",\"label\":\"l\"}     | BlankDomain",
        "{\"domain\":\"d\",\"text\":\"t\",\"label\":\"\\n\"}  | BlankLabel",
        "{\"domain\":\"d\",\"text\":\"t\",\"label\":1}        | NotAString",
        "{\"domain\":\"d\",\"text\":[\"t\"],\"label\":\"l\"}  | NotAString",
        "{\"domain\":true,\"text\":\"t\",\"label\":\"l\"}     | NotAString",
        "{\"domain\":\"d\",\"text\":\"t\",\"text\":\"u\"}     | DuplicateKey",
        "{\"domain\":\"d\",\"text\":\"a\\u0000b\",\"label\":\"l\"} | NulCharacter",
        "{\"domain\":\"d\",\"text\":\"\\ud800\",\"label\":\"l\"}   | LoneSurrogate",
        "{\"domain\":\"d\",\"text\":\"\\ude00\\ud83d\",\"label\":\"l\"} | LoneSurrogate"
      })
  void whatIsWrongHasAName(String line, String errorClass) {
    assertThat(error(line).getErrorClass()).isEqualTo(errorClass);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"yesterday\"",
        "\"\"",
        "\"2026-01-31\"",
        "\"2026-01-31T12:00:00\"",
        "1769860800",
        "\"2026-02-30T12:00:00Z\"",
        "\"+999999999-01-01T00:00:00Z\"",
        "{}"
      })
  void aTimeThatIsNoTimeIsAnError(String time) {
    RecordError error = error("{" + REST + ",\"eventTime\":" + time + "}");

    assertThat(error.getErrorClass()).isEqualTo("BadEventTime");
    assertThat(error.getMessage()).contains("2026-01-31T12:00:00Z");
  }

  @Test
  void bytesThatAreNoUtf8AreFoundWithTheirPlace() {
    byte[] latin =
        ("{" + REST + ",\"x\":\"\u00e9\"}").getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
    RecordError error = error(latin);

    assertThat(error.getErrorClass()).isEqualTo("InvalidUtf8");
    assertThat(error.getMessage()).contains("byte 43");
    assertThat(error(new byte[] {'{', (byte) 0xED, (byte) 0xA0, (byte) 0x80}).getErrorClass())
        .isEqualTo("InvalidUtf8");
    assertThat(error(new byte[] {'{', (byte) 0xE2, (byte) 0x82}).getErrorClass())
        .isEqualTo("InvalidUtf8");
  }

  @Test
  void aRawNulIsAnErrorOfItsOwn() {
    assertThat(error("{" + REST + ",\"x\":\"\0\"}").getErrorClass()).isEqualTo("NulCharacter");
  }

  @Test
  void sizesAreLimited() {
    String text = "{\"domain\":\"d\",\"label\":\"l\",\"text\":\"" + "x".repeat(65_537) + "\"}";
    String label = "{\"domain\":\"d\",\"text\":\"t\",\"label\":\"" + "x".repeat(10_000) + "\"}";
    String line = "{" + REST + ",\"note\":\"" + "x".repeat(100_000) + "\"}";

    assertThat(error(text).getErrorClass()).isEqualTo("TextTooLarge");
    assertThat(error(label).getErrorClass()).isEqualTo("LabelTooLarge");
    assertThat(error(line).getErrorClass()).isEqualTo("LineTooLong");
    assertThat(error(line).getMessage())
        .isEqualTo(
            "line is 100047 bytes long, of which the first 100000 are kept;"
                + " limits.lineBytes allows 100000");
  }

  private LabeledExample accepted(String line) {
    return ((Accepted) parse(line.getBytes(UTF_8))).example();
  }

  private RecordError error(String line) {
    return error(line.getBytes(UTF_8));
  }

  private RecordError error(byte[] line) {
    RecordError error = ((Rejected) parse(line)).error();
    assertThat(error.getMessage()).isNotBlank().doesNotContain("\n").hasSizeLessThanOrEqualTo(300);
    return error;
  }

  private ParsedLine parse(byte[] line) {
    try (LineReader lines = new LineReader(new ByteArrayInputStream(line), 100_000, 0, 0)) {
      Line only = lines.next().orElseThrow();
      return parser.parse(only);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
