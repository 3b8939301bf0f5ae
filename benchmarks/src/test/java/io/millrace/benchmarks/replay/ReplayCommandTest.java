package io.millrace.benchmarks.replay;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.process.CommandLines;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class ReplayCommandTest {
  @TempDir Path directory;

  @Test
  void noRoundsAreAMistake() {
    assertThat(mistake("--rounds", "0")).contains("--rounds: 0 is less than 1");
  }

  @Test
  void aMissingInputIsAMistake() {
    assertThat(mistake("--input", directory + "/none.jsonl"))
        .contains("--input: cannot read " + directory + "/none.jsonl");
  }

  @Test
  void dataOfAnEarlierRunIsLeftAlone() throws Exception {
    Files.writeString(directory.resolve("run.json"), "{}");

    assertThat(mistake("--data", directory.toString()))
        .contains("--data: " + directory + " holds something already; name a new one");
  }

  @Test
  void theTableHasALineForEachRound() throws Exception {
    Path launcher = Files.createDirectories(directory.resolve("bin")).resolve("millrace");
    Files.writeString(
        launcher,
        """
        #!/bin/sh
        [ $1 = train ] && echo '{"examples": 32, "examplesPerSecond": 100}' > $7 && exit 0
        echo '[{"examples": 32, "examplesPerSecond": 90}]' > $6
        """);
    assertThat(launcher.toFile().setExecutable(true)).isTrue();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream out = System.out;
    System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      assertThat(CommandLines.run(new ReplayCommand(directory), "--rounds=2")).isZero();
    } finally {
      System.setOut(out);
    }

    assertThat(bytes.toString(StandardCharsets.UTF_8).lines())
        .contains(
            "| 1 | 100.0 | 90.0 | 0.90 | the same |", "| 2 | 100.0 | 90.0 | 0.90 | the same |");
  }

  private static String mistake(String... options) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream err = System.err;
    System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      assertThat(CommandLines.run(new ReplayCommand(), options)).isEqualTo(2);
    } finally {
      System.setErr(err);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }
}
