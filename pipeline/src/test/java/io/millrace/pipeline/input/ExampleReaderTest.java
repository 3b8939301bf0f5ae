package io.millrace.pipeline.input;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.operators.gate.ExampleRules;
import io.millrace.schemas.LabeledExample;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class ExampleReaderTest {
  private static final ExampleLimits LIMITS =
      new ExampleLimits(1000, false, ExampleRules.Limits.DEFAULT);

  @TempDir private Path directory;

  @Test
  void whatCannotBeTrainedOnIsLeftOutAndCounted() throws IOException {
    Path path = directory.resolve("file");
    Files.writeString(
        path,
        """
        {"domain":"d","text":"one","label":"l"}

        {"domain":"d","text":
        {"domain":"d","text":" ","label":"l"}
        {"domain":"d","text":"%s","label":"l"}
        {"domain":"d","text":"two","label":"l"}
        {}"""
            .formatted("x".repeat(1000)));
    List<String> texts = new ArrayList<>();

    try (ExampleReader reader = new ExampleReader(ExampleFile.open(path), LIMITS)) {
      for (Optional<LabeledExample> next = reader.next(); next.isPresent(); next = reader.next()) {
        texts.add(next.get().getText());
      }

      assertThat(texts).containsExactly("one", "two");
      assertThat(reader.examples()).isEqualTo(2);
      assertThat(reader.position()).isEqualTo(Files.size(path));
      assertThat(reader.skipped())
          .isEqualTo(
              Map.of("BrokenJson", 1L, "BlankText", 1L, "LineTooLong", 1L, "MissingDomain", 1L));
    }
  }

  /** Byte-order mark, CRLF, NaN, numbers, duplicate keys, half surrogates, depth and more. */
  @Test
  void everyOddLineIsAnExampleOrHasAReason() throws Exception {
    ExampleLimits limits = new ExampleLimits(100_000, false, ExampleRules.Limits.DEFAULT);
    Path path = Path.of(getClass().getResource("/inputs/odd-lines.jsonl").toURI());

    try (ExampleReader reader = new ExampleReader(ExampleFile.open(path), limits)) {
      while (reader.next().isPresent()) {
        // Counted below.
      }
      assertThat(reader.examples()).isEqualTo(59);
      assertThat(reader.skipped().values().stream().mapToLong(each -> each).sum()).isEqualTo(27);
    }
  }

  @Test
  void aFileThatChangesMeanwhileIsNoticed() throws IOException {
    Path path = Files.writeString(directory.resolve("file"), "{}\n");
    ExampleFile file = ExampleFile.open(path);
    Files.writeString(path, "{}\n{}\n");

    try (ExampleReader reader = new ExampleReader(file, LIMITS)) {
      assertThatThrownBy(reader::next).hasMessageContaining("changed while it was read");
    }
  }
}
