package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.pipeline.demo.DemoResult;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** What all commands have in common. */
@Tag("unit")
class CommandOptionsTest {
  /** Serving is a process of its own; a script is for the shell. */
  private static final List<String> OTHERS =
      List.of("millrace serve", "millrace dashboard", "millrace completion");

  @Test
  void whateverListsOrDoesSomethingCanAnswerInJson() {
    assertThat(leaves())
        .filteredOn(command -> !OTHERS.contains(name(command)))
        .allSatisfy(
            command -> assertThat(command.getCommandSpec().optionsMap()).containsKey("--json"));
  }

  @Test
  void whateverTakesItsTimeCanBeQuiet() {
    assertThat(leaves())
        .filteredOn(command -> !OTHERS.contains(name(command)))
        .allSatisfy(
            command ->
                assertThat(command.getCommandSpec().optionsMap()).containsKeys("--quiet", "-q"));
  }

  @Test
  void theDemosJsonIsItsTable() {
    DemoResult result =
        new DemoResult(
            List.of(new DemoResult.Row("the whole stream", 0.5, 0.75)),
            7,
            6,
            5,
            "ab12",
            Map.of("UnreadableRecord", 5L),
            List.of(1000L, 2000L, 3000L),
            10,
            0,
            13_824,
            1_900);

    JsonNode json = DemoCommand.json(result);

    assertThat(json.path("rows").get(0).path("adapted").asDouble()).isEqualTo(0.75);
    assertThat(json.path("versionsLive").asInt()).isEqualTo(6);
    assertThat(json.path("deadLetters").path("UnreadableRecord").asInt()).isEqualTo(5);
    assertThat(json.has("labelToLiveMillis")).isFalse();
    assertThat(json.path("labelToLiveSeconds").path("p50").asDouble()).isEqualTo(2);
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
