package io.millrace.pipeline.chaos;

import io.millrace.client.ParentWatch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

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

  /** Stops it where it is, with SIGSTOP, until {@link #thaw}. */
  void freeze() throws Exception {
    signal("STOP");
  }

  void thaw() throws Exception {
    signal("CONT");
  }

  private void signal(String signal) throws Exception {
    String pid = String.valueOf(process.pid());
    if (new ProcessBuilder("kill", "-" + signal, pid).inheritIO().start().waitFor() != 0) {
      throw new AssertionError("no signal " + signal + " reaches " + name);
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
