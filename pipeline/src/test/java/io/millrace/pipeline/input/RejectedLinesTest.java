package io.millrace.pipeline.input;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class RejectedLinesTest {
  @Test
  void theMostFrequentErrorComesFirst() {
    assertThat(
            RejectedLines.counts(
                Map.of("BlankText", 2L, "InvalidUtf8", 7L, "BadEventTime", 2L, "BrokenJson", 1L)))
        .isEqualTo("7 InvalidUtf8, 2 BadEventTime, 2 BlankText, 1 BrokenJson");
  }

  @Test
  void aFileWithoutExamplesIsExplainedByWhatMostOfItsLinesHave() {
    assertThat(RejectedLines.nothingIn("a.jsonl", Map.of("MissingLabel", 5L, "BrokenJson", 1L)))
        .isEqualTo(
            "file a.jsonl holds no example that can be trained on: 5 MissingLabel, 1 BrokenJson"
                + " (a line needs domain, text and label)");
    assertThat(RejectedLines.nothingIn("a.jsonl", Map.of("BadWeight", 1L)))
        .isEqualTo("file a.jsonl holds no example that can be trained on: 1 BadWeight");
    assertThat(RejectedLines.nothingIn("a.jsonl", Map.of()))
        .isEqualTo("file a.jsonl holds no example that can be trained on: it holds no lines");
  }
}
