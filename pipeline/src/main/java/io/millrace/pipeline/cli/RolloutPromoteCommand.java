package io.millrace.pipeline.cli;

import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutRefusedException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Makes a version the stable one. */
@Command(
    name = "promote",
    description =
        "Make a version the stable one. Where every new version serves at once (the policy latest), the policy becomes manual.")
final class RolloutPromoteCommand extends RolloutDecisionCommand {
  @Option(
      names = "--version",
      paramLabel = "N",
      description = "Which version. Default: the candidate, or without one the newest.")
  private Long version;

  @Override
  RolloutEvent decision(RolloutDecisions decisions) throws RolloutRefusedException {
    return decisions.promote(version);
  }
}
