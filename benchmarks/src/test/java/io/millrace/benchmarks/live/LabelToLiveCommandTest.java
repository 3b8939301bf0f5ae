package io.millrace.benchmarks.live;

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
class LabelToLiveCommandTest {
  @TempDir Path directory;

  @Test
  void whatCannotBeMeasuredIsAMistake() {
    assertThat(mistake("--rate", "0")).contains("--rate: 0.0 is not above 0 and at most 10000");
    assertThat(mistake("--rate", "NaN")).contains("--rate: NaN is not above 0");
    assertThat(mistake("--seconds", "0")).contains("--seconds is 1 or more");
    assertThat(mistake("--set", "batch.siez=3")).contains("batch.siez");
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
      assertThat(CommandLines.run(new LabelToLiveCommand(), options)).isEqualTo(2);
    } finally {
      System.setErr(err);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }
}
