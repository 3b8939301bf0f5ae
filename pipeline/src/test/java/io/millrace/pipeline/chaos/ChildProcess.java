package io.millrace.pipeline.chaos;

import io.millrace.client.process.ParentWatch;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A Java process with the tests' class path that can be killed, and that never outlives the tests
 * however they end.
 */
final class ChildProcess implements AutoCloseable {
  private final String name;
  private final Path log;
  private final Process process;

  private ChildProcess(String name, Path log, Process process) {
    this.name = name;
    this.log = log;
    this.process = process;
  }

  /**
   * @param logs directory for what it prints and logs
   * @param options for Java
   */
  static ChildProcess start(
      String name, Path logs, List<String> options, Class<?> main, List<String> arguments)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(System.getProperty("millrace.test.opens").split(" ")));
    command.addAll(
        List.of(
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dai.djl.offline=true",
            "-Dmillrace.home=" + System.getProperty("millrace.home"),
            "-Dmillrace.logs=" + logs.resolve(name)));
    command.addAll(options);
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(ParentWatch.class.getName(), main.getName()));
    command.addAll(arguments);
    Files.createDirectories(logs);
    Path log = logs.resolve(name + ".out");
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
            .start();
    return new ChildProcess(name, log, process);
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** Empty while it lives. */
  Optional<Integer> exitCode() {
    return process.isAlive() ? Optional.empty() : Optional.of(process.exitValue());
  }

  void requireAlive() {
    if (!process.isAlive()) {
      throw new AssertionError(
          "%s has ended with exit code %d; see %s".formatted(name, process.exitValue(), log));
    }
  }

  /** With SIGKILL; returns once it is gone. */
  void kill() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }

  /**
   * Stops it where it is, with SIGSTOP, until {@link #thaw}. It would not notice its parent's end,
   * so after 20 s a shell lets it go on whatever has become of the tests.
   */
  void freeze() throws IOException {
    String script = "kill -STOP \"$1\" && echo frozen && sleep 20; kill -CONT \"$1\"";
    Process shell =
        new ProcessBuilder("/bin/sh", "-c", script, "sh", String.valueOf(process.pid()))
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try (BufferedReader said = shell.inputReader()) {
      if (!"frozen".equals(said.readLine())) {
        throw new AssertionError(name + " cannot be stopped");
      }
    }
  }

  void thaw() throws IOException, InterruptedException {
    String pid = String.valueOf(process.pid());
    if (new ProcessBuilder("kill", "-CONT", pid).start().waitFor() != 0) {
      throw new AssertionError(name + " does not go on");
    }
  }

  /** As {@link #kill}. */
  @Override
  public void close() {
    process.destroyForcibly();
    process.onExit().join();
  }
}
