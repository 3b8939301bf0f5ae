package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Completion, in bash itself. */
@Tag("integration")
@Timeout(60)
class CompletionCommandTest {
  @TempDir private Path directory;

  private Path script;

  @BeforeEach
  void print() throws Exception {
    Said said = Said.run("completion");
    assertThat(said.exitCode()).isZero();
    script = Files.writeString(directory.resolve("millrace.bash"), said.text() + "\n");
  }

  @Test
  void commandsAndTheirCommandsAreCompleted() throws Exception {
    assertThat(completed("millrace ro")).containsExactly("rollout");
    assertThat(completed("millrace rollout p")).contains("promote", "pin", "policy");
    assertThat(completed("millrace he")).containsExactly("help");
  }

  @Test
  void optionsAreCompletedAndFormerNamesAreNot() throws Exception {
    assertThat(completed("millrace train --in")).containsExactly("--input");
    assertThat(completed("millrace rollout rollback --"))
        .contains("--version", "--domain", "--json", "--config", "--set")
        .doesNotContain("--to");
  }

  /** What the Tab key would offer behind {@code line}. */
  private List<String> completed(String line) throws Exception {
    String press =
        // Bash has compopt only while it completes for a terminal.
        "compopt() { :; }; source \"$1\"; COMP_WORDS=($2);"
            + " COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_LINE=$2; COMP_POINT=${#2}; _complete_millrace; printf '%s\\n' \"${COMPREPLY[@]}\"";
    Process bash =
        new ProcessBuilder("bash", "-c", press, "bash", script.toString(), line)
            .redirectErrorStream(true)
            .start();
    List<String> said =
        new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    assertThat(bash.waitFor()).as("%s", said).isZero();
    return said.stream().map(String::strip).toList();
  }
}
