package io.millrace.inference;

import io.millrace.client.process.CommandLines;
import io.millrace.client.process.PrivateDirectories;
import io.millrace.client.process.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** The files of a process that listens: its log, and the one that tells a parent its port. */
final class ProcessFiles {
  /** System property with the directory of the logs, or none. */
  private static final String LOGS = "millrace.logs";

  private ProcessFiles() {}

  /**
   * Names the log file; log4j2.xml writes every event to the file in these properties. {@code
   * bin/millrace} may have said that there is none.
   */
  static void logTo(Path logs) {
    try {
      PrivateDirectories.create(logs.getParent());
      if (System.getProperty(LOGS, "").equals("none")) {
        return;
      }
      PrivateDirectories.create(logs);
    } catch (IOException e) {
      throw new UsageException("cannot write to " + logs + ": " + e, e);
    }
    System.setProperty(LOGS, logs.toString());
    System.setProperty(CommandLines.LOG_FILE, logs.resolve("serve.log").toString());
  }

  /**
   * Deletes the file of an earlier process: a parent could take its port for this one's.
   *
   * @param file null where no parent asked for one
   */
  static void forgetPort(Path file) {
    try {
      if (file != null) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new UsageException("cannot write the port file " + file + ": " + e, e);
    }
  }

  /**
   * Writes the file at once: a reader finds the whole number or no file.
   *
   * @param file null where no parent asked for one
   */
  static void writePort(Path file, int port) {
    if (file == null) {
      return;
    }
    Path whole = file.toAbsolutePath();
    Path partial = whole.resolveSibling(whole.getFileName() + ".partial");
    try {
      Files.writeString(partial, port + "\n");
      Files.move(
          partial, whole, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new UsageException("cannot write the port file " + whole + ": " + e, e);
    }
  }
}
