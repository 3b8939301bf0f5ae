package io.millrace.benchmarks.process;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The memory of another process that is resident, as Linux tells it. */
public final class ResidentMemory {
  private static final Pattern RESIDENT = Pattern.compile("(?m)^VmRSS:\\s+(\\d+) kB$");

  private ResidentMemory() {}

  /**
   * Bytes that are resident now.
   *
   * @throws IOException where the system does not tell
   */
  public static long bytes(ProcessHandle process) throws IOException {
    return bytes(Files.readString(Path.of("/proc", Long.toString(process.pid()), "status")));
  }

  /** As {@code /proc/PID/status} has it. */
  static long bytes(String status) throws IOException {
    Matcher resident = RESIDENT.matcher(status);
    if (!resident.find()) {
      throw new IOException("no VmRSS in the status of the process: " + status);
    }
    return Long.parseLong(resident.group(1)) << 10;
  }
}
