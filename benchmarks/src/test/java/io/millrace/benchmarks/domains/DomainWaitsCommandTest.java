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
class DomainWaitsCommandTest {
  @TempDir Path directory;

  @Test
  void whatCannotBeMeasuredIsAMistake() {
    assertThat(mistake("--domains", "1")).contains("--domains is 2 or more");
    assertThat(mistake("--rate", "NaN")).contains("--rate: NaN is not above 0");
    assertThat(mistake("--skew", "0.5")).contains("--skew: 0.5 is not 1 to 1000000");
    assertThat(mistake("--warm-up", "0"))
        .contains("--warm-up: 0 s at 60.0 a second are no example");
    assertThat(mistake("--set", "batch.timeout=5s")).contains("batch.timeout: the command sets it");
  }

  @Test
  void dataOfAnEarlierRunIsLeftAlone() throws Exception {
    Files.writeString(directory.resolve("run.json"), "{}");

    assertThat(mistake("--data", directory.toString()))
        .contains("--data: " + directory + " holds something already; name a new one");
  }

  private static String mistake(String... options) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream err = System.err;
    System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      assertThat(CommandLines.run(new DomainWaitsCommand(), options)).isEqualTo(2);
    } finally {
      System.setErr(err);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }
}
