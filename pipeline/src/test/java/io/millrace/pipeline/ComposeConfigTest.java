package io.millrace.pipeline;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the programs themselves say that read the containers' files, where they are installed. */
@Tag("integration")
@Timeout(120)
class ComposeConfigTest {
  private static final Path HOME = Path.of(System.getProperty("millrace.home"));
  private static final List<String> FILES =
      List.of("docker-compose.yml", "docker-compose.gpu.yml", "docker-compose.secrets.yml");

  @Test
  void composeAcceptsTheFilesAloneAndTogether() throws Exception {
    assumeTrue(
        isFound("docker-compose"),
        "docker-compose is not on the PATH; Debian's package of that name has it");
    for (List<String> files :
        List.of(
            FILES.subList(0, 1), FILES.subList(0, 2), List.of(FILES.get(0), FILES.get(2)), FILES)) {
      List<String> command = new ArrayList<>(List.of("docker-compose"));
      files.forEach(file -> command.addAll(List.of("-f", file)));
      command.addAll(List.of("--env-file", ".env.example"));
      command.addAll(List.of("--profile", "tools", "--profile", "monitoring", "config"));

      String config = run(command);

      assertThat(config)
          .contains("  tools:", "  grafana:", "scale: " + (files.contains(FILES.get(1)) ? 1 : 0));
    }
  }

  @Test
  void haproxyAcceptsItsConfiguration() throws Exception {
    assumeTrue(isFound("haproxy"), "haproxy is not on the PATH; Debian's package haproxy has it");

    run(List.of("haproxy", "-c", "-f", "docker/haproxy.cfg"));
  }

  private static boolean isFound(String program) {
    return Stream.of(System.getenv("PATH").split(File.pathSeparator))
        .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
  }

  /** What it prints; it must end well. */
  private static String run(List<String> command) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(command).directory(HOME.toFile()).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertThat(process.waitFor()).as("%s: %s", command, said).isZero();
    return said;
  }
}
