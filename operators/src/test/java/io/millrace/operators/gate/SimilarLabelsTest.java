package io.millrace.operators.gate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class SimilarLabelsTest {
  @Test
  void labelsThatDifferByCaseWhiteSpaceOrFormAreGroups() {
    List<String> labels =
        List.of("pos", "neg", " pos ", "café", "Pos", "cafe\u0301", "two  words", "two\u00a0words");

    assertThat(SimilarLabels.among(labels))
        .containsExactly(
            List.of("pos", " pos ", "Pos"),
            List.of("café", "cafe\u0301"),
            List.of("two  words", "two\u00a0words"));
  }

  @Test
  void otherLabelsAreNone() {
    assertThat(SimilarLabels.among(List.of("a", "ab", "a b", "", "é", "e"))).isEmpty();
  }

  @Test
  void aGroupIsOneSentence() {
    assertThat(SimilarLabels.say("reviews", List.of("pos", "Pos ")))
        .isEqualTo(
            "domain reviews: \"pos\" and \"Pos \" are 2 labels, which differ by case or white space only");
  }
}
