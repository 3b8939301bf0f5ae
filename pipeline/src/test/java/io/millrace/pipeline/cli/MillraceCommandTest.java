package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.process.ExitCode;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Tag("integration")
@Timeout(60)
class MillraceCommandTest {
  @TempDir private Path directory;

  @Test
  void withoutACommandItListsThem() throws Exception {
    assertThat(String.join("\n", run(0))).contains("up ", "produce ", "serve ");
    assertThat(run(0, "--help")).isEqualTo(run(0));
  }

  @Test
  void thePageHasTheExitCodesThatTheHelpLists() throws Exception {
    String page =
        Files.readString(Path.of(System.getProperty("millrace.home"), "docs/command-line.md"));
    List<String> rows =
        Pattern.compile("(?m)^\\| (\\d+) \\| (.*?) \\|")
            .matcher(page)
            .results()
            .map(row -> "  %-5s %s".formatted(row.group(1), row.group(2)))
            .toList();

    List<String> help = Said.run("--help").out();

    int from = help.indexOf("Exit codes:") + 1;
    assertThat(from).isPositive();
    assertThat(help.subList(from, from + rows.size())).containsExactlyElementsOf(rows);
    assertThat(rows).hasSameSizeAs(ExitCode.meanings().keySet());
  }

  @Test
  void helpHasColorsUnlessTheUserWantsNone() throws Exception {
    Map<String, String> colors = Map.of("CLICOLOR_FORCE", "1");
    Map<String, String> none = Map.of("CLICOLOR_FORCE", "1", "NO_COLOR", "1");

    assertThat(run(colors, 0, "--help")).anyMatch(line -> line.contains("\u001b["));
    assertThat(run(none, 0, "--help")).isEqualTo(run(0, "--help"));
    assertThat(run(0, "--help")).noneMatch(line -> line.contains("\u001b["));
  }

  @Test
  void everyMistakeIsOneLineAndExitCode2() throws Exception {
    assertThat(mistake("produce", "none.jsonl")).contains("none.jsonl does not exist");
    assertThat(mistake("produce", directory.toString())).contains("is no ordinary file");
    assertThat(mistake("produce")).contains("--input FILE.jsonl is needed");
    assertThat(mistake("produce", "--input", "a", "b")).contains("--input a and b: give one file");
    assertThat(mistake("produce", "--input", "none.jsonl")).contains("none.jsonl does not exist");
    assertThat(mistake("produce", "x", "--nonsense")).contains("--nonsense");
    assertThat(mistake("produce", "x", "--set", "limits.textbytes=1")).contains("limits.textBytes");
    assertThat(mistake("up", "--kafka-port", "many")).contains("--kafka-port");
    assertThat(mistake("nonsense")).contains("nonsense");
  }

  @Test
  void aTakenPortIsNamed() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String port = String.valueOf(taken.getLocalPort());
      List<String> said =
          run(2, "up", "--data", directory.toString(), "--kafka-port", port, "--registry-port=0");

      assertThat(said).hasSize(2).last().asString().startsWith("millrace: port " + port);
    }
  }

  /** As in a container, whose log is what it says. */
  @Test
  void withoutALogFileAFailureIsOnTheConsoleAlone() throws Exception {
    Map<String, String> environment =
        Map.of(
            "MILLRACE_LOG_CONSOLE",
            "text",
            "MILLRACE_KAFKA_DEFAULT_API_TIMEOUT_MS",
            "1000",
            "MILLRACE_KAFKA_REQUEST_TIMEOUT_MS",
            "1000");
    String[] unreachable = {"topics", "--set=kafka.bootstrap.servers=127.0.0.1:1"};
    try (ChildJvm child =
        new ChildJvm(Path.of("none"), environment, MillraceCommand.class.getName(), unreachable)) {
      List<String> said = child.awaitEnd();

      assertThat(child.exitCode()).as("%s", said).isEqualTo(1);
      assertThat(said)
          .anyMatch(line -> line.contains(" ERROR ") && line.contains("at io.millrace."));
      assertThat(said).noneMatch(line -> line.contains("(details in"));
      assertThat(Path.of("none")).doesNotExist();
    }
  }

  private String mistake(String... arguments) throws Exception {
    List<String> said = run(2, arguments);
    assertThat(said).hasSize(1);
    return said.get(0);
  }

  private List<String> run(int exitCode, String... arguments) throws Exception {
    return run(Map.of(), exitCode, arguments);
  }

  private List<String> run(Map<String, String> environment, int exitCode, String... arguments)
      throws Exception {
    try (ChildJvm child =
        new ChildJvm(
            directory.resolve("logs"), environment, MillraceCommand.class.getName(), arguments)) {
      List<String> said = child.awaitEnd();
      assertThat(child.exitCode()).as("%s", said).isEqualTo(exitCode);
      return said;
    }
  }
}
