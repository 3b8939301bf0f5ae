package io.millrace.benchmarks.serving;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.process.CommandLines;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class DomainsServingCommandTest {
  @Test
  void whatCannotBeMeasuredIsAMistake() {
    assertThat(mistake("--domains", "0")).contains("--domains, --clients, --seconds and --rounds");
    assertThat(mistake("--stored", "10")).contains("--stored is 10, less than --domains, 1000");
    assertThat(mistake("--rate", "0")).contains("--rate: 0.0 is not above 0 and at most 10000");
    assertThat(mistake("--rate", "NaN")).contains("--rate: NaN is not above 0");
  }

  private static String mistake(String... options) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream err = System.err;
    System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      assertThat(CommandLines.run(new DomainsServingCommand(), options)).isEqualTo(2);
    } finally {
      System.setErr(err);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }
}
