package io.millrace.benchmarks.process;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** A command of {@code bin/millrace} in a child process, which never outlives this one. */
public final class MillraceProcess implements AutoCloseable {
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(20);

  /** Start of the line in which a command reports a failure: see {@code CommandLines}. */
  private static final String FAILURE = "millrace: ";

  private final Process process;
  private String failure = "";

  private MillraceProcess(Process process) {
    this.process = process;
  }

  /**
   * Starts a command as a user would.
   *
   * @param home the directory with {@code bin/millrace}
   * @throws IllegalStateException where the launcher is missing
   */
  public static MillraceProcess start(Path home, List<String> arguments) {
    return start(home, List.of(), Map.of(), arguments);
  }

  /** As {@link #start}, with environment variables of its own. */
  public static MillraceProcess start(
      Path home, Map<String, String> environment, List<String> arguments) {
    return start(home, List.of(), environment, arguments);
  }

  /** As {@link #start}, with the lowest priority for processor time. */
  public static MillraceProcess startNicest(Path home, List<String> arguments) {
    return start(home, List.of("nice", "-n", "19"), Map.of(), arguments);
  }

  private static MillraceProcess start(
      Path home, List<String> prefix, Map<String, String> environment, List<String> arguments) {
    Path launcher = home.resolve("bin").resolve("millrace");
    if (!Files.isExecutable(launcher)) {
      throw new IllegalStateException("there is no program " + launcher);
    }
    List<String> command = new ArrayList<>(prefix);
    command.add(launcher.toString());
    command.addAll(arguments);
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().putAll(environment);
    builder.environment().put("MILLRACE_HOME", home.toString());
    builder.environment().put("MILLRACE_END_WITH_PARENT", "yes");
    try {
      return new MillraceProcess(builder.start());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot start " + launcher, e);
    }
  }

  /**
   * Waits for the command's end.
   *
   * @param lines takes each line that it prints
   * @return its exit code
   */
  public int await(Consumer<String> lines) throws InterruptedException {
    try (BufferedReader output =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        if (line.startsWith(FAILURE)) {
          failure = line.substring(FAILURE.length());
        }
        lines.accept(line);
      }
    } catch (IOException e) {
      // The pipe broke: the child is ending, and its exit code shows that.
      return process.waitFor();
    }
    return process.waitFor();
  }

  /** Ends it at once, as {@code kill -9} does, and waits until it has ended. */
  public void kill() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }

  /** The process; the launcher becomes the command. */
  public ProcessHandle handle() {
    return process.toHandle();
  }

  /** The last failure that the command reported; empty where it reported none. */
  public String failure() {
    return failure;
  }

  /** Ends the command where it still runs. */
  @Override
  public void close() {
    // Process.destroy() would close its standard input as well, and that ends it at once.
    process.toHandle().destroy();
    try {
      if (!process.waitFor(CLOSE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
