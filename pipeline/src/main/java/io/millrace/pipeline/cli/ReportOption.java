package io.millrace.pipeline.cli;

import io.millrace.client.process.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The option {@code --report} of commands that end with numbers, as a picocli mixin. */
final class ReportOption {
  @Option(
      names = "--report",
      paramLabel = "FILE.json",
      description = "Write what came of it as JSON.")
  private Path file;

  /**
   * Checks the file before the work begins.
   *
   * @throws UsageException where the file could not be written
   */
  void requireWritable() {
    if (file == null) {
      return;
    }
    Path directory = file.toAbsolutePath().getParent();
    if (Files.isDirectory(file) || !Files.isWritable(directory)) {
      throw new UsageException("--report: cannot write " + file);
    }
  }

  /** Writes {@code report}, where the user asked for it. */
  void write(Object report) {
    if (file == null) {
      return;
    }
    try {
      Json.write(file, report);
    } catch (IOException e) {
      throw new IllegalStateException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }
}
