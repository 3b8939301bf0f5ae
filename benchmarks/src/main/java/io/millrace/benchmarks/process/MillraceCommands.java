package io.millrace.benchmarks.process;

import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/** Commands of {@code bin/millrace} one after the other, each in a process of its own. */
public final class MillraceCommands implements AutoCloseable {
  private static final Pattern DETAILS = Pattern.compile(" \\(details in .*\\)$");

  private final Path home;
  private final Consumer<String> progress;
  private volatile MillraceProcess running;

  /**
   * @param home the directory with {@code bin/millrace}
   * @param progress takes lines for people
   */
  public MillraceCommands(Path home, Consumer<String> progress) {
    this.home = home;
    this.progress = progress;
  }

  /**
   * Runs a command to its end.
   *
   * @param what names the run to people, such as {@code round 1 of 3}
   * @param arguments the command first
   * @return its exit code
   * @throws IllegalStateException where the launcher is missing
   */
  public int run(String what, List<String> arguments) throws InterruptedException {
    return run(home, what, arguments);
  }

  /** As the other {@code run}, with the launcher of another directory. */
  public int run(Path home, String what, List<String> arguments) throws InterruptedException {
    progress.accept(what + ": " + arguments.get(0));
    try (MillraceProcess process = MillraceProcess.start(home, arguments)) {
      running = process;
      return process.await(line -> progress.accept("  " + line));
    }
  }

  /**
   * The exception of the command that ran last, which failed: says which and why.
   *
   * @param what as in {@link #run}
   */
  public IllegalStateException failed(String what, String command, int exitCode) {
    String failure = running.failure();
    return new IllegalStateException(
        "%s: bin/millrace %s failed: %s"
            .formatted(
                what,
                command,
                failure.isEmpty()
                    ? "its exit code is " + exitCode
                    // Its directory may be removed already.
                    : DETAILS.matcher(failure).replaceFirst("; --data DIR keeps its log")));
  }

  /** Ends the command that still runs, if any. */
  @Override
  public void close() {
    MillraceProcess last = running;
    if (last != null) {
      last.close();
    }
  }
}
