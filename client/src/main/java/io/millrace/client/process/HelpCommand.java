package io.millrace.client.process;

import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code help COMMAND SUBCOMMAND}, which prints what {@code COMMAND SUBCOMMAND --help} does. */
@Command(name = HelpCommand.NAME, description = "Show the help of a command.")
final class HelpCommand implements Callable<Integer> {
  static final String NAME = "help";

  @Parameters(
      paramLabel = "COMMAND",
      arity = "0..*",
      description = "Which command, and which of its commands. Without one, they are listed.")
  private List<String> names = List.of();

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    CommandLine command = spec.commandLine().getParent();
    for (String name : names) {
      CommandLine next = command.getSubcommands().get(name);
      if (next == null) {
        throw new UsageException(
            "%s has no command \"%s\"".formatted(command.getCommandSpec().qualifiedName(), name));
      }
      command = next;
    }
    // The streams of a command are those of the whole.
    command.usage(spec.root().commandLine().getOut());
    return 0;
  }
}
