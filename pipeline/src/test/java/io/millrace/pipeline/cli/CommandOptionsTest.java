package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** What all commands have in common. */
@Tag("unit")
class CommandOptionsTest {
  /** The demo is for the eye; serving is a process of its own; a script is for the shell. */
  private static final List<String> WITHOUT_RESULT =
      List.of("millrace demo", "millrace serve", "millrace completion");

  private static final List<String> AT_ONCE = List.of("millrace serve", "millrace completion");

  @Test
  void whateverListsOrDoesSomethingCanAnswerInJson() {
    assertThat(leaves())
        .filteredOn(command -> !WITHOUT_RESULT.contains(name(command)))
        .allSatisfy(
            command -> assertThat(command.getCommandSpec().optionsMap()).containsKey("--json"));
  }

  @Test
  void whateverTakesItsTimeCanBeQuiet() {
    assertThat(leaves())
        .filteredOn(command -> !AT_ONCE.contains(name(command)))
        .allSatisfy(
            command ->
                assertThat(command.getCommandSpec().optionsMap()).containsKeys("--quiet", "-q"));
  }

  private static List<CommandLine> leaves() {
    List<CommandLine> leaves = new ArrayList<>();
    addLeaves(new CommandLine(new MillraceCommand()), leaves);
    assertThat(leaves).hasSizeGreaterThan(20);
    return leaves;
  }

  private static void addLeaves(CommandLine command, List<CommandLine> leaves) {
    if (command.getSubcommands().isEmpty()) {
      leaves.add(command);
    }
    command.getSubcommands().values().forEach(each -> addLeaves(each, leaves));
  }

  private static String name(CommandLine command) {
    return command.getCommandSpec().qualifiedName();
  }
}
