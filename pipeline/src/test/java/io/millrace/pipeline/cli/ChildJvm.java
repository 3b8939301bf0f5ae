package io.millrace.pipeline.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/** A Java process with the tests' class path, as a user or a crash would have it. */
public final class ChildJvm implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 90;

  private final Process process;
  private final List<String> output = new ArrayList<>();
  private final BufferedReader reader;

  /** Starts {@code mainClass}; standard error joins standard output. */
  public ChildJvm(Path logs, String mainClass, String... arguments) throws IOException {
    this(logs, Map.of(), mainClass, arguments);
  }

  /** As the other, with more environment variables. */
  public ChildJvm(Path logs, Map<String, String> environment, String mainClass, String... arguments)
      throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Dai.djl.offline=true",
                "-Dmillrace.home=" + System.getProperty("millrace.home"),
                "-Dmillrace.logs=" + logs,
                "-cp",
                System.getProperty("java.class.path"),
                mainClass));
    command.addAll(1, List.of(System.getProperty("millrace.test.opens").split(" ")));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().putAll(environment);
    process = builder.start();
    reader =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
  }

  /** Gives it its standard input, to the end. */
  public void write(byte[] input) throws IOException {
    try (OutputStream in = process.getOutputStream()) {
      in.write(input);
    }
  }

  public ProcessHandle handle() {
    return process.toHandle();
  }

  /**
   * Reads output up to a line that {@code wanted} accepts. Only the test's own deadline bounds it.
   */
  public String awaitLine(Predicate<String> wanted) throws IOException {
    for (String line = reader.readLine(); line != null; line = reader.readLine()) {
      output.add(line);
      if (wanted.test(line)) {
        return line;
      }
    }
    throw new AssertionError("the process ended after saying: " + output);
  }

  /** Waits for the end; returns everything it said. */
  public List<String> awaitEnd() throws IOException, InterruptedException {
    reader.lines().forEach(output::add);
    if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
      throw new AssertionError("the process does not end; it said: " + output);
    }
    return output;
  }

  public int exitCode() {
    return process.exitValue();
  }

  /** Asks it to end, with SIGTERM. */
  public void terminate() {
    // Process.destroy() would close its output as well.
    process.toHandle().destroy();
  }

  /** Ends it at once, with SIGKILL. */
  public void kill() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }

  @Override
  public void close() {
    process.destroyForcibly();
    try {
      reader.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
