package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.process.CommandLines;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** What a command that ran in this process answered. */
public record Said(int exitCode, List<String> out, List<String> err) {
  /** Runs it as {@code bin/millrace} does. */
  public static Said run(String... arguments) {
    PrintStream out = System.out;
    PrintStream err = System.err;
    ByteArrayOutputStream toOut = new ByteArrayOutputStream();
    ByteArrayOutputStream toErr = new ByteArrayOutputStream();
    System.setOut(new PrintStream(toOut, true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(toErr, true, StandardCharsets.UTF_8));
    try {
      int exitCode = CommandLines.run(new MillraceCommand(), arguments);
      return new Said(exitCode, lines(toOut), lines(toErr));
    } finally {
      System.setOut(out);
      System.setErr(err);
    }
  }

  private static List<String> lines(ByteArrayOutputStream bytes) {
    return bytes.toString(StandardCharsets.UTF_8).lines().toList();
  }

  /** The one line of standard error. */
  public String line() {
    assertThat(err).as("%s", this).hasSize(1);
    return err.get(0);
  }

  /** All of standard output. */
  public String text() {
    return String.join("\n", out);
  }
}
