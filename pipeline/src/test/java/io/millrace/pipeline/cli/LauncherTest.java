package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** What {@code bin/millrace} answers by itself in a tree that was never built. */
@Tag("integration")
@Timeout(60)
class LauncherTest {
  private static final Path HOME = Path.of(System.getProperty("millrace.home"));

  @TempDir private Path tree;

  /** What a process said. */
  private record Answer(int exitCode, List<String> lines) {}

  @BeforeEach
  void copyTheTree() throws Exception {
    Files.createDirectory(tree.resolve("bin"));
    for (String file : List.of("pom.xml", "bin/millrace", "bin/benchmark")) {
      Files.copy(HOME.resolve(file), tree.resolve(file));
    }
    Path maven = Files.writeString(tree.resolve("bin/mvn"), "#!/bin/sh\necho no build\nexit 1\n");
    assertThat(maven.toFile().setExecutable(true)).isTrue();
  }

  @Test
  void itListsTheCommandsThatThereAre() throws Exception {
    Answer help = run("millrace", "--help");

    assertThat(help.exitCode()).isZero();
    assertThat(help.lines()).anyMatch(line -> line.contains("not built yet"));
    Map<String, String> listed = commands(help.lines());
    CommandLine real = new CommandLine(new MillraceCommand());
    List<String> names = new ArrayList<>(real.getSubcommands().keySet());
    names.add("help");
    assertThat(listed.keySet()).containsExactlyElementsOf(names);
    real.getSubcommands()
        .forEach(
            (name, command) ->
                assertThat(command.getCommandSpec().usageMessage().description()[0])
                    .startsWith(listed.get(name)));
    assertThat(tree.resolve("target")).doesNotExist();
    assertThat(run("millrace")).isEqualTo(help);
    assertThat(run("millrace", "help")).isEqualTo(help);
  }

  @Test
  void helpOfOneCommandSaysWhatItDoes() throws Exception {
    Answer help = run("millrace", "help", "train");

    assertThat(help.exitCode()).isZero();
    assertThat(help.lines()).first().asString().startsWith("millrace train: Train on a file");
    assertThat(run("millrace", "train", "--input", "x.jsonl", "--help")).isEqualTo(help);
    assertThat(run("millrace", "rollout", "status", "-h").lines().get(0))
        .startsWith("millrace rollout: See and decide");
    assertThat(run("benchmark", "--help").lines().get(0)).startsWith("Usage: benchmark");
    assertThat(run("millrace", "help", "in"))
        .isEqualTo(
            new Answer(
                2, List.of("millrace: millrace has no command \"in\" (try: millrace --help)")));
  }

  @Test
  void itsVersionIsThatOfTheBuild() throws Exception {
    Answer version = new Answer(0, Said.run("--version").out());

    assertThat(run("millrace", "--version")).isEqualTo(version);
    assertThat(run("millrace", "-V")).isEqualTo(version);
    assertThat(run("millrace", "serve", "--version")).isEqualTo(version);
    assertThat(run("benchmark", "--version")).isEqualTo(version);
  }

  @Test
  void whatDoesSomethingIsBuiltFirst() throws Exception {
    for (String[] real :
        List.of(
            new String[] {"millrace", "adapters", "show", "--version", "3"},
            new String[] {"millrace", "train", "--input", "help"},
            new String[] {"benchmark"})) {
      Answer answer = run(real);

      assertThat(answer.exitCode()).as("%s", answer).isEqualTo(1);
      assertThat(answer.lines()).contains("no build");
    }
  }

  /** The lines below {@code Commands:}, by name. */
  private static Map<String, String> commands(List<String> lines) {
    Map<String, String> commands = new LinkedHashMap<>();
    lines.stream()
        .skip(lines.indexOf("Commands:") + 1)
        .takeWhile(line -> !line.isEmpty())
        .map(line -> line.strip().split(" +", 2))
        .forEach(words -> commands.put(words[0], words[1]));
    return commands;
  }

  private Answer run(String... command) throws Exception {
    List<String> words = new ArrayList<>(List.of(command));
    words.set(0, tree.resolve("bin").resolve(command[0]).toString());
    ProcessBuilder builder = new ProcessBuilder(words).redirectErrorStream(true);
    builder.environment().merge("PATH", tree.resolve("bin") + ":", (path, bin) -> bin + path);
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    builder.environment().remove("MILLRACE_HOME");
    Process process = builder.start();
    process.getOutputStream().close();
    List<String> lines =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
            .lines()
            .toList();
    return new Answer(process.waitFor(), lines);
  }
}
