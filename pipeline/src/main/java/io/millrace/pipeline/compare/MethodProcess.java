package io.millrace.pipeline.compare;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.process.ParentWatch;
import io.millrace.pipeline.input.ExampleFile;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Trains one method in a child process, so that its peak memory is its own and it does not profit
 * from what another method has warmed up. The child has the class path, Java options and
 * environment of this process, and ends with it. Its output goes to the log of this process.
 */
public final class MethodProcess implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(MethodProcess.class);
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(10);
  private static final Pattern PROGRESS =
      Pattern.compile(Pattern.quote(TrainMethod.PROGRESS) + "(\\d+) (\\d+)");

  /** The prefix of an error message; see {@code CommandLines}. */
  private static final String FAILURE = "millrace: ";

  /** As a shell counts: a process that signal n ended has the exit code 128 + n. */
  private static final int SIGNALLED = 128;

  private static final int SIGTERM = 15;

  private final String method;
  private final Process process;
  private final Path result;
  private String failure = "";

  private MethodProcess(String method, Process process, Path result) {
    this.method = method;
    this.process = process;
    this.result = result;
  }

  /** Receives the progress of the child. */
  public interface Listener {
    /**
     * @param examples trained on so far
     * @param right predicted before that
     */
    void trained(long examples, long right);
  }

  /**
   * Starts a child.
   *
   * @param settings a properties file that holds what the user set
   * @param directory for the child's result; it holds no file of another child
   */
  public static MethodProcess start(
      ComparedMethod method, ExampleFile file, Path settings, Path directory) {
    Path result = directory.resolve("result.json");
    try {
      Files.createDirectories(directory);
      List<String> command = new ArrayList<>();
      // Ctrl-C reaches every process of the terminal; the parent ends the child. What a shell
      // ignores stays ignored across exec, and the JVM leaves it so.
      command.addAll(List.of("/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh"));
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(javaOptions());
      command.addAll(List.of("-cp", System.getProperty("java.class.path")));
      command.addAll(List.of(ParentWatch.class.getName(), TrainMethod.class.getName()));
      command.addAll(List.of("--input", file.path().toString()));
      command.addAll(List.of("--input-sha256", file.sha256()));
      command.addAll(List.of("--method", method.text()));
      command.addAll(List.of("--config", settings.toString()));
      command.addAll(List.of("--result", result.toString()));
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      return new MethodProcess(method.text(), process, result);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot start a process for " + method.text(), e);
    }
  }

  /** The Java options of this process, without those of a debugger, whose port is in use. */
  private static List<String> javaOptions() {
    List<String> options = new ArrayList<>();
    for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      if (!option.startsWith("-agentlib:jdwp") && !option.startsWith("-Xrunjdwp")) {
        options.add(option);
      }
    }
    // MillraceCommand sets it unless it was set before.
    String logs = System.getProperty("millrace.logs");
    if (logs != null) {
      options.add("-Dmillrace.logs=" + logs);
    }
    return options;
  }

  /**
   * Waits for the child's end.
   *
   * @throws IllegalStateException where it ended without a result; the message says why
   */
  public MethodReport await(Listener listener) throws InterruptedException {
    try (BufferedReader output =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), Charset.defaultCharset()))) {
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        heard(line, listener);
      }
    } catch (IOException e) {
      // The pipe is closed: the child is ending.
      LOG.debug("{}: output ends", method, e);
    }
    int exitCode = process.waitFor();
    if (exitCode != 0) {
      throw new IllegalStateException(failure.isEmpty() ? describe(exitCode) : failure);
    }
    try {
      return new ObjectMapper().readValue(result.toFile(), MethodReport.class);
    } catch (IOException e) {
      throw new IllegalStateException("its result cannot be read: " + e.getMessage(), e);
    }
  }

  private void heard(String line, Listener listener) {
    Matcher progress = PROGRESS.matcher(line);
    if (progress.matches()) {
      listener.trained(Long.parseLong(progress.group(1)), Long.parseLong(progress.group(2)));
      return;
    }
    LOG.info("{} says: {}", method, line);
    if (line.contains("OutOfMemoryError")) {
      failure = "Java ran out of memory; MILLRACE_JAVA_OPTS=-Xmx4g, say, gives it more";
    } else if (failure.isEmpty() && line.startsWith(FAILURE)) {
      failure = line.substring(FAILURE.length());
    }
  }

  private static String describe(int exitCode) {
    return exitCode > SIGNALLED
        ? "its process was ended by signal " + (exitCode - SIGNALLED)
        : "its process ended with exit code " + exitCode;
  }

  /** Whether the child was signalled to end, as Ctrl-C signals all processes of a terminal. */
  public boolean terminated() {
    return !process.isAlive() && process.exitValue() == SIGNALLED + SIGTERM;
  }

  /** Asks the child to end; {@link #await} then fails. */
  public void stop() {
    // Process.destroy() would close its standard input as well.
    process.toHandle().destroy();
  }

  /** Ends the child where it still runs. */
  @Override
  public void close() {
    stop();
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
