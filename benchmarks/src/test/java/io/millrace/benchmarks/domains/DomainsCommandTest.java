package io.millrace.benchmarks.domains;

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
class DomainsCommandTest {
  @TempDir Path directory;

  @Test
  void whatCannotBeMeasuredIsAMistake() {
    assertThat(mistake("--domains", "1")).contains("--domains: 1 is less than 2");
    assertThat(mistake("--batch", "0")).contains("--batch and --rounds are 1 or more");
    assertThat(mistake("--rounds", "0")).contains("--batch and --rounds are 1 or more");
    assertThat(mistake("--examples", "1000000")).contains("--examples: 1000000 is not 1 to ");
    assertThat(mistake("--before", directory.toString()))
        .contains("--before: " + directory + " has no bin/millrace");
  }

  @Test
  void dataOfAnEarlierRunIsLeftAlone() throws Exception {
    Files.writeString(directory.resolve("run.json"), "{}");

    assertThat(mistake("--data", directory.toString()))
        .contains("--data: " + directory + " holds something already; name a new one");
  }

  @Test
  void theTableIsReadableAndTheSameVersionsAreNoted() throws Exception {
    Path launcher = Files.createDirectories(directory.resolve("bin")).resolve("millrace");
    Files.writeString(
        launcher,
        """
        #!/bin/sh
        echo '{"examples": 40, "examplesPerSecond": 100, "steps": 8, "peakRssMiB": 900,
          "trainStepMillis": {"p50": 20, "p99": 30}, "domains": {"a": {"lastSha256": "0a"}}}' > $7
        """);
    assertThat(launcher.toFile().setExecutable(true)).isTrue();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream out = System.out;
    System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      assertThat(
              CommandLines.run(
                  new DomainsCommand(directory),
                  "--domains=3",
                  "--examples=40",
                  "--slices",
                  "--before=" + directory))
          .isZero();
    } finally {
      System.setOut(out);
    }

    assertThat(bytes.toString(StandardCharsets.UTF_8).lines())
        .contains(
            "| one domain, batches of 16 | 100.0 | 1.00 | 8 | 20.0 | 30.0 | 900 |",
            "| 3 domains, batches of 4, one by one, in slices | 100.0 | 1.00 | 8 | 20.0 | 30.0 | 900 |",
            "| 3 domains, batches of 4, by the other release | 100.0 | 1.00 | 8 | 20.0 | 30.0 | 900 |",
            "All 1 domains end with the same sha256, grouped and one by one.");
  }

  private static String mistake(String... options) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream err = System.err;
    System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      assertThat(CommandLines.run(new DomainsCommand(Path.of("none")), options)).isEqualTo(2);
    } finally {
      System.setErr(err);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }
}
