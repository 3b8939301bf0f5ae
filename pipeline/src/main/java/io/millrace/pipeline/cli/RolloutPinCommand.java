package io.millrace.pipeline.cli;

import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutRefusedException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Pins a version. */
@Command(
    name = "pin",
    description =
        "Keep one version serving, whatever is published, until it is pinned elsewhere, rolled back, or the policy is changed.")
final class RolloutPinCommand extends RolloutDecisionCommand {
  @Option(
      names = "--version",
      paramLabel = "N",
      description = "Which version. Default: the stable one.")
  private Long version;

  @Override
  RolloutEvent decision(RolloutDecisions decisions) throws RolloutRefusedException {
    return decisions.pin(version);
  }
}
