package io.millrace.pipeline.cli;

import io.millrace.client.process.UsageException;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutRefusedException;
import io.millrace.schemas.text.ShownText;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Changes the policy for new versions. */
@Command(
    name = "policy",
    description = {
      "Decide what becomes of the versions to come.",
      "  latest  each serves as soon as it is published",
      "  canary  each is tried on a share of the requests first",
      "  manual  each waits until you promote it or try it"
    })
final class RolloutPolicyCommand extends RolloutDecisionCommand {
  @Parameters(paramLabel = "POLICY", description = "latest, canary or manual.")
  private String policy;

  @Option(
      names = "--share",
      paramLabel = "S",
      converter = Share.class,
      description = "Share of the candidates to come, as 0.1 or 10%%. Default: as it is.")
  private Double share;

  @Override
  RolloutEvent decision(RolloutDecisions decisions) throws RolloutRefusedException {
    RolloutPolicy asked =
        switch (policy) {
          case "latest" -> RolloutPolicy.LATEST;
          case "canary" -> RolloutPolicy.CANARY;
          case "manual" -> RolloutPolicy.MANUAL;
          case "pinned" -> RolloutPolicy.PINNED;
          default ->
              throw new UsageException(
                  "there is no policy \"%s\"; there are latest, canary and manual"
                      .formatted(ShownText.of(policy)));
        };
    return decisions.policy(asked, share);
  }
}
