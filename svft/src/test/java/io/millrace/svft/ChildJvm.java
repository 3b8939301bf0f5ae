package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A Java process on the class path of the tests. */
public final class ChildJvm implements AutoCloseable {
  private final Process process;

  private ChildJvm(Process process) {
    this.process = process;
  }

  public static ChildJvm start(List<String> options, Class<?> main, String... arguments)
      throws IOException {
    return start(options, Map.of(), main, arguments);
  }

  /**
   * @param variables environment variables, in addition to those of this process
   */
  public static ChildJvm start(
      List<String> options, Map<String, String> variables, Class<?> main, String... arguments)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-Dai.djl.offline=true"));
    command.add("-Dmillrace.test.models=" + System.getProperty("millrace.test.models"));
    command.addAll(options);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().putAll(variables);
    return new ChildJvm(builder.start());
  }

  /**
   * Waits for the end of the process, checks that it succeeded, and returns the lines that it
   * printed.
   */
  public List<String> output() throws IOException, InterruptedException {
    List<String> lines = process.inputReader().lines().toList();
    assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
    assertThat(process.exitValue()).isZero();
    return lines;
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
