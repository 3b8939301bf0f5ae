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
class DomainLoadCommandTest {
  @TempDir Path directory;

  @Test
  void whatCannotBeMeasuredIsAMistake() {
    assertThat(mistake("--domains", "0")).contains("--domains, --batch and --look-every are 1");
    assertThat(mistake("--domains", "10", "--examples", "9"))
        .contains("--examples: 9 is less than one for each of 10 domains");
    assertThat(mistake("--kill-at", "100")).contains("--kill-at: 100 is not 1 to 99");
  }

  @Test
  void dataOfAnEarlierRunIsLeftAlone() throws Exception {
    Files.writeString(directory.resolve("run.json"), "{}");

    assertThat(mistake("--data", directory.toString()))
        .contains("--data: " + directory + " holds something already; name a new one");
  }

  private String mistake(String... options) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream err = System.err;
    System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      assertThat(CommandLines.run(new DomainLoadCommand(directory), options)).isEqualTo(2);
    } finally {
      System.setErr(err);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }
}
