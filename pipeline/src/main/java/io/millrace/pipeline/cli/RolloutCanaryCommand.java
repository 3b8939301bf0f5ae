package io.millrace.pipeline.cli;

import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutRefusedException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Tries a version. */
@Command(
    name = "canary",
    description =
        "Try a version on a share of the requests, beside the stable one. The policy becomes canary.")
final class RolloutCanaryCommand extends RolloutDecisionCommand {
  @Option(
      names = "--version",
      paramLabel = "N",
      description = "Which version. Default: the newest.")
  private Long version;

  @Option(
      names = "--share",
      paramLabel = "S",
      defaultValue = "0.1",
      converter = Share.class,
      description = "Its share of the requests, as 0.1 or 10%%. Default: ${DEFAULT-VALUE}.")
  private double share;

  @Override
  RolloutEvent decision(RolloutDecisions decisions) throws RolloutRefusedException {
    return decisions.canary(version, share);
  }
}
