package io.millrace.benchmarks.domains;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.process.CommandLines;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The measurement itself, small. */
@Tag("integration")
@Timeout(300)
class DomainWaitsRunTest {
  @TempDir Path directory;

  @Test
  void everyFullBatchOfTheStreamIsMeasured() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream out = System.out;
    System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      assertThat(
              CommandLines.run(
                  new DomainWaitsCommand(),
                  "--domains=4",
                  "--skew=3",
                  "--rate=20",
                  "--warm-up=1",
                  "--seconds=3",
                  "--data=" + directory.resolve("data"),
                  "--set=batch.size=1",
                  "--set=model.store=" + System.getProperty("millrace.test.models")))
          .isZero();
    } finally {
      System.setOut(out);
    }

    // With one example in a batch every example closes one; two may have come in one millisecond.
    assertThat(bytes.toString(StandardCharsets.UTF_8))
        .containsPattern("\\| all \\| 6[0-2] \\| [\\d,]+ \\| [\\d,]+ \\| [\\d,]+ \\|")
        .containsPattern(
            "The rarer half's 99th percentile is \\d+\\.\\d\\d times that of the tenth in the middle");
  }
}
