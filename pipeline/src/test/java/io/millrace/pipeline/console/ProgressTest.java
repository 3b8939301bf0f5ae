package io.millrace.pipeline.console;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ProgressTest {
  private final ByteArrayOutputStream said = new ByteArrayOutputStream();
  private final PrintStream out = new PrintStream(said, true, UTF_8);

  @Test
  void aLineSaysHowFarItHasCome() {
    try (Progress progress =
        new Progress.Lines("Sending", 20_000, "lines", 1, Duration.ZERO, out)) {
      progress.at(5_000);
      progress.at(20_000, "3 bad");
    }

    assertThat(said.toString(UTF_8).lines())
        .containsExactly(
            "Sending: 5,000 of 20,000 lines (25%)",
            "Sending: 20,000 of 20,000 lines (100%), 3 bad");
  }

  @Test
  void bytesAreShownInMebibytes() {
    try (Progress progress =
        new Progress.Lines("Reading", 4 << 20, "MiB", 1 << 20, Duration.ZERO, out)) {
      progress.at(3 << 20);
    }

    assertThat(said.toString(UTF_8).strip()).isEqualTo("Reading: 3 of 4 MiB (75%)");
  }

  @Test
  void whoWantsSilenceGetsWarningsOnly() {
    PrintStream err = System.err;
    System.setProperty("millrace.quiet", "true");
    System.setErr(out);
    try (Progress progress = Progress.start("Training", -1, "steps")) {
      assertThat(progress).isNotInstanceOf(Progress.Lines.class);
      progress.at(7);
      progress.say("Two labels differ by case alone");
    } finally {
      System.setErr(err);
      System.clearProperty("millrace.quiet");
    }

    assertThat(said.toString(UTF_8).strip()).isEqualTo("Two labels differ by case alone");
    try (Progress progress = Progress.start("Training", -1, "steps")) {
      assertThat(progress).isInstanceOf(Progress.Lines.class);
    }
  }

  @Test
  void withoutATotalItCounts() {
    try (Progress progress = new Progress.Lines("Training", -1, "steps", 1, Duration.ZERO, out)) {
      progress.at(7);
    }

    assertThat(said.toString(UTF_8).strip()).isEqualTo("Training: 7 steps");
  }

  @Test
  void linesDoNotComeThickAndFast() {
    try (Progress progress =
        new Progress.Lines("Sending", 9, "lines", 1, Duration.ofHours(1), out)) {
      progress.at(1);
      progress.at(2);
    }

    assertThat(said.toString(UTF_8)).isEmpty();
  }
}
