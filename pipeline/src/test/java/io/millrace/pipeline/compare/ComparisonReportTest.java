package io.millrace.pipeline.compare;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.pipeline.report.RunReport.StepMillis;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ComparisonReportTest {
  @Test
  void theTablesAreAligned() {
    assertThat(report(List.of(method("full", 2e-5, 0), method("head", null, 0))).lines())
        .containsExactly(
            "3,000 examples in batches of 16, 2 threads, base model minilm.",
            "Accuracy on each example before training on it, domains pooled (standard errors):",
            "",
            "method         accuracy      1st third      2nd third      3rd third  mean loss",
            "full    0.8750 (0.0060)  0.800 (0.013)  0.900 (0.010)  0.925 (0.008)     0.3142",
            "head    0.8750 (0.0060)  0.800 (0.013)  0.900 (0.010)  0.925 (0.008)     0.3142",
            "",
            "method  trainables        bytes       rate  examples/s   p50 ms   p99 ms  peak MiB  seconds",
            "full    10,616,832   42,475,240    0.00002     1,234.6    150.0    215.7     1,151     18.8",
            "head    10,616,832   42,475,240  head only     1,234.6    150.0    215.7     1,151     18.8");
  }

  @Test
  void aLongMethodStandsOnALineOfItsOwn() {
    String method = "svft:plain;rank=128;weights=attention-output+query+value";

    List<String> lines = report(List.of(method(method, 0.03, 0), method("head", null, 0))).lines();

    assertThat(lines).filteredOn(line -> line.equals(method)).hasSize(2);
    assertThat(lines).allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(100));
  }

  @Test
  void whatWentWrongIsSaidBelow() {
    ComparisonReport.Failure failure = new ComparisonReport.Failure("lora:8", "", "no memory");
    ComparisonReport nothing =
        new ComparisonReport("f", "", 1, 0, Map.of(), 1, 1, "m", List.of(), List.of(failure));

    assertThat(nothing.lines()).containsExactly("lora:8 failed: no memory");
    assertThat(report(List.of(method("full", 10.0, 32))).lines())
        .last()
        .isEqualTo(
            "full: 32 examples trained nothing: their batch's loss or gradient was not finite");
  }

  private static ComparisonReport report(List<MethodReport> methods) {
    return new ComparisonReport(
        "reviews.jsonl", "", 3000, 0, Map.of(), 16, 2, "minilm", methods, List.of());
  }

  private static MethodReport method(String text, Double rate, long deadLetters) {
    return new MethodReport(
        text,
        text,
        rate,
        10_616_832,
        42_475_240,
        3000 - deadLetters,
        deadLetters,
        188,
        0.875,
        0.00604,
        0.31415,
        List.of(0.8, 0.9, 0.925),
        List.of(0.0126, 0.0095, 0.0083),
        1234.56,
        new StepMillis(150, 215.68),
        18.8,
        1151,
        Map.of());
  }
}
