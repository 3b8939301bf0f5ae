package io.millrace.operators.gate;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.RecordError;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class ExampleRulesTest {
  private final ExampleRules rules = new ExampleRules(ExampleRules.Limits.DEFAULT);

  @Test
  void anOrdinaryExamplePasses() {
    assertThat(rules.check(example(e -> {}))).isEmpty();
  }

  @Test
  void missingAndBlankFieldsAreNamed() {
    assertThat(errorClass(e -> e.setDomain(null))).isEqualTo("MissingDomain");
    assertThat(errorClass(e -> e.setText(null))).isEqualTo("MissingText");
    assertThat(errorClass(e -> e.setLabel(null))).isEqualTo("MissingLabel");
    assertThat(errorClass(e -> e.setDomain(" "))).isEqualTo("BlankDomain");
    assertThat(errorClass(e -> e.setText("\t\n\u2003"))).isEqualTo("BlankText");
    assertThat(errorClass(e -> e.setLabel(""))).isEqualTo("BlankLabel");
  }

  @Test
  void sizesAreCountedInBytesOfUtf8AndTheLimitItselfIsAllowed() {
    assertThat(errorClass(e -> e.setText("a".repeat(64 * 1024)))).isNull();
    assertThat(errorClass(e -> e.setText("a".repeat(64 * 1024 + 1)))).isEqualTo("TextTooLarge");
    assertThat(errorClass(e -> e.setLabel("\uD83D\uDE00".repeat(256)))).isNull();
    assertThat(errorClass(e -> e.setLabel("\uD83D\uDE00".repeat(257)))).isEqualTo("LabelTooLarge");
    assertThat(errorClass(e -> e.setDomain("\u00e9".repeat(128)))).isNull();
    assertThat(errorClass(e -> e.setDomain("\u20ac".repeat(86)))).isEqualTo("DomainTooLarge");
  }

  @Test
  void theMessageSaysHowLargeAndWhichSettingAllowsMore() {
    RecordError error = rules.check(example(e -> e.setLabel("x".repeat(10_000)))).orElseThrow();

    assertThat(error.getMessage())
        .isEqualTo("label is 10000 bytes long in UTF-8; limits.labelBytes allows 1024");
  }

  @Test
  void nulCharactersAreRefusedInEveryString() {
    assertThat(errorClass(e -> e.setText("a\0b"))).isEqualTo("NulCharacter");
    assertThat(errorClass(e -> e.setId("\0"))).isEqualTo("NulCharacter");
    assertThat(errorClass(e -> e.setMetadata(Map.of("k", "\0")))).isEqualTo("NulCharacter");
  }

  @Test
  void loneSurrogatesAreRefusedAndPairsAreNot() {
    assertThat(errorClass(e -> e.setText("\uD83D\uDE00"))).isNull();
    assertThat(errorClass(e -> e.setText("a\uD83D"))).isEqualTo("LoneSurrogate");
    assertThat(errorClass(e -> e.setText("\uDE00\uD83D"))).isEqualTo("LoneSurrogate");
    assertThat(errorClass(e -> e.setMetadata(Map.of("\uD800", "")))).isEqualTo("LoneSurrogate");
  }

  @ParameterizedTest
  @ValueSource(floats = {0f, -1f, Float.NaN, Float.POSITIVE_INFINITY})
  void aWeightIsPositiveAndFinite(float weight) {
    assertThat(errorClass(e -> e.setWeight(weight))).isEqualTo("BadWeight");
  }

  @ParameterizedTest
  @ValueSource(floats = {1001f, 1e6f, 1e38f})
  void aWeightThatSilencesItsNeighborsIsRefused(float weight) {
    assertThat(errorClass(e -> e.setWeight(1000f))).isNull();
    RecordError error = rules.check(example(e -> e.setWeight(weight))).orElseThrow();

    assertThat(error.getErrorClass()).isEqualTo("BadWeight");
    assertThat(error.getMessage())
        .isEqualTo("weight is " + weight + "; limits.weight allows 1000.0");
  }

  @Test
  void idAndMetadataAreBoundedTogether() {
    assertThat(errorClass(e -> e.setMetadata(Map.of("k", "v".repeat(64 * 1024 - 2))))).isNull();
    assertThat(errorClass(e -> e.setMetadata(Map.of("key", "v".repeat(64 * 1024 - 3)))))
        .isEqualTo("MetadataTooLarge");
    assertThat(errorClass(e -> e.setId("i".repeat(64 * 1024 + 1)))).isEqualTo("MetadataTooLarge");
    RecordError error =
        rules
            .check(example(e -> e.setMetadata(Map.of("a", "\u20ac".repeat(30_000)))))
            .orElseThrow();
    assertThat(error.getMessage())
        .isEqualTo(
            "id and metadata are 90002 bytes long in UTF-8; limits.metadataBytes allows 65536");
  }

  @Test
  void theRulesTravelToATaskManager() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    new ObjectOutputStream(bytes)
        .writeObject(new ExampleRules(new ExampleRules.Limits(3, 9, 9, 9, 9)));
    Object copy = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray())).readObject();

    assertThat(((ExampleRules) copy).check(example(e -> e.setText("four")))).isPresent();
  }

  private String errorClass(Consumer<LabeledExample> change) {
    return rules.check(example(change)).map(RecordError::getErrorClass).orElse(null);
  }

  private static LabeledExample example(Consumer<LabeledExample> change) {
    LabeledExample example =
        new LabeledExample("1", "reviews", "It works!", "positive", null, 1f, Map.of());
    change.accept(example);
    return example;
  }
}
