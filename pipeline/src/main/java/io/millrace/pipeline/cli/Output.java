package io.millrace.pipeline.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.client.settings.SettingsOptions;
import java.io.PrintWriter;
import java.util.function.Supplier;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * What a command says, and where: its result on standard output, as text or with {@code --json} as
 * one JSON value; progress and warnings on standard error; a picocli mixin.
 */
final class Output {
  @Option(
      names = "--json",
      description = "Print the result as JSON, and nothing else on standard output.")
  private boolean json;

  private CommandSpec command;

  @Spec(Spec.Target.MIXEE)
  void mixedInto(CommandSpec command) {
    this.command = command;
  }

  /** A line of the result, for people. */
  void say(String line) {
    if (!json) {
      print(command.commandLine().getOut(), line);
    }
  }

  /** Why there is no result: for people in its place, otherwise on standard error. */
  void explain(String line) {
    PrintWriter out = command.commandLine().getOut();
    print(json ? command.commandLine().getErr() : out, line);
  }

  /** The whole result, where the user asked for JSON. */
  void json(Supplier<JsonNode> result) {
    if (json) {
      PrintWriter out = command.commandLine().getOut();
      Json.print(result.get(), out);
      out.flush();
    }
  }

  /** What is being done, unless the user wants to see no progress. */
  void progress(String line) {
    if (!SettingsOptions.isQuiet()) {
      print(command.commandLine().getErr(), line);
    }
  }

  /** What the user should know although all goes well. */
  void warn(String line) {
    print(command.commandLine().getErr(), line);
  }

  private static void print(PrintWriter to, String line) {
    to.println(line);
    to.flush();
  }
}
