package io.millrace.pipeline.cli;

import io.millrace.client.process.UsageException;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutRefusedException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Rolls back to an earlier version. */
@Command(
    name = "rollback",
    description = {
      "Take the candidate back; without one, go back to the version that was stable before, or to the"
          + " next older one.",
      "Where every new version serves at once (the policy latest), the policy becomes manual: the"
          + " next one would undo it."
    })
final class RolloutRollbackCommand extends RolloutDecisionCommand {
  @Option(
      names = "--version",
      paramLabel = "N",
      description = "To this version, and without a candidate.")
  private Long version;

  /** The option's name in earlier releases. */
  @Option(names = "--to", paramLabel = "N", hidden = true)
  private Long to;

  @Override
  RolloutEvent decision(RolloutDecisions decisions) throws RolloutRefusedException {
    if (version != null && to != null) {
      throw new UsageException("--to is the former name of --version: give one of them");
    }
    return decisions.rollback(version == null ? to : version);
  }
}
