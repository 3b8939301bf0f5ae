package io.millrace.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What Prometheus's own tool says of deploy/prometheus; skipped where the tool is not there. */
@Tag("integration")
@Timeout(60)
class PrometheusRulesTest {
  private static final Path FOLDER =
      Path.of(System.getProperty("millrace.home"), "deploy", "prometheus");

  @BeforeAll
  static void requirePromtool() {
    boolean found =
        Arrays.stream(System.getenv("PATH").split(File.pathSeparator))
            .anyMatch(folder -> Files.isExecutable(Path.of(folder, "promtool")));
    assumeTrue(found, "promtool is not on the PATH; Debian's package prometheus has it");
  }

  @Test
  void itTakesTheConfigurationAndTheRules() throws Exception {
    assertThat(promtool("check", "config", "prometheus.yml")).contains("SUCCESS");
    assertThat(promtool("check", "rules", "rules.yml")).contains("SUCCESS");
  }

  @Test
  void eachAlertFiresWhenItMustAndNotBefore() throws Exception {
    assertThat(promtool("test", "rules", "rules-test.yml")).contains("SUCCESS");
  }

  private static String promtool(String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of("promtool"));
    command.addAll(List.of(arguments));
    Process process =
        new ProcessBuilder(command).directory(FOLDER.toFile()).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor()).as(said).isZero();
    return said;
  }
}
