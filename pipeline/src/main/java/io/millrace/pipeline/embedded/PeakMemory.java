package io.millrace.pipeline.embedded;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The peak memory of this process and its children, as Linux counts it. */
public final class PeakMemory {
  private static final String PEAK = "VmHWM:";

  private PeakMemory() {}

  /**
   * The sum, over this process and every descendant alive now, of the largest resident set each has
   * had, in MiB. The peaks need not have come at the same time: what all used together was never
   * more. 0 where there is no {@code /proc}.
   */
  public static long mib() {
    ProcessHandle self = ProcessHandle.current();
    return Stream.concat(Stream.of(self), self.descendants())
            .mapToLong(process -> kib(Path.of("/proc", String.valueOf(process.pid()), "status")))
            .sum()
        / 1024;
  }

  private static long kib(Path status) {
    try (Stream<String> lines = Files.lines(status)) {
      return lines
          .filter(line -> line.startsWith(PEAK))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
          .findFirst()
          .orElse(0);
    } catch (IOException | UncheckedIOException e) {
      // The process has ended meanwhile.
      return 0;
    }
  }
}
