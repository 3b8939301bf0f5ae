package io.millrace.pipeline.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The commands on published versions. */
@Command(
    name = "adapters",
    synopsisSubcommandLabel = "COMMAND",
    description = {
      "List, show, check, export and prune the published versions of adapters.",
      "They are read from Kafka, or with --data DIR from the data directory of an earlier train, demo"
          + " or up, whose Kafka is started for the moment. Nothing is changed there but by prune."
    },
    commandListHeading = "%nCommands:%n",
    subcommands = {
      AdaptersListCommand.class,
      AdaptersShowCommand.class,
      AdaptersVerifyCommand.class,
      AdaptersExportCommand.class,
      AdaptersPruneCommand.class
    })
final class AdaptersCommand implements Runnable {
  @Spec private CommandSpec spec;

  /** Without a subcommand: prints the usage. */
  @Override
  public void run() {
    spec.commandLine().usage(spec.commandLine().getOut());
  }
}
