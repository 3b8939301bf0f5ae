package io.millrace.pipeline.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The commands on rollouts. */
@Command(
    name = "rollout",
    synopsisSubcommandLabel = "COMMAND",
    description = {
      "See and decide which versions serve.",
      "A decision is an event in the topic rollouts, and what serves is what those events amount to."
          + " No job and no serving process need to run: those that do follow within a moment.",
      "With --data DIR the Kafka of an earlier train, demo or up is started for the moment."
    },
    commandListHeading = "%nCommands:%n",
    subcommands = {
      RolloutStatusCommand.class,
      RolloutCanaryCommand.class,
      RolloutPromoteCommand.class,
      RolloutRollbackCommand.class,
      RolloutPinCommand.class,
      RolloutPolicyCommand.class,
      RolloutHistoryCommand.class
    })
final class RolloutCommand implements Runnable {
  @Spec private CommandSpec spec;

  /** Without a subcommand: prints the usage. */
  @Override
  public void run() {
    spec.commandLine().usage(spec.commandLine().getOut());
  }
}
