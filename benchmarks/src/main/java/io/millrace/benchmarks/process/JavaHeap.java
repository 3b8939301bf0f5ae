package io.millrace.benchmarks.process;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.regex.Pattern;

/** The Java heap of another process, as {@code jcmd} tells it. */
public final class JavaHeap {
  /** A generation, or the whole heap, with what is used of it. */
  private static final Pattern USED =
      Pattern.compile(
          "^\\s*(?:.*generation|.*Gen|.*heap)\\s+total.*used (\\d+)K", Pattern.MULTILINE);

  private JavaHeap() {}

  /**
   * Bytes that are used after a full collection.
   *
   * @throws IOException where jcmd cannot be run
   */
  public static long usedBytes(ProcessHandle process) throws IOException, InterruptedException {
    jcmd(process, "GC.run");
    return used(jcmd(process, "GC.heap_info"));
  }

  /** The sum of what {@code GC.heap_info} names as used. */
  static long used(String heapInfo) {
    return USED.matcher(heapInfo).results().mapToLong(found -> Long.parseLong(found.group(1))).sum()
        << 10;
  }

  private static String jcmd(ProcessHandle process, String command)
      throws IOException, InterruptedException {
    Path jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd");
    Process started =
        new ProcessBuilder(jcmd.toString(), Long.toString(process.pid()), command)
            .redirectErrorStream(true)
            .start();
    String output = new String(started.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (started.waitFor() != 0) {
      throw new IOException("jcmd " + command + ": " + output);
    }
    return output;
  }
}
