package io.millrace.inference.serving;

import io.millrace.inference.store.StoredVersion;
import io.millrace.schemas.VersionRef;

/**
 * A version that a rollout names and that does not answer here.
 *
 * @param wanted the version
 * @param candidate whether it is wanted as the candidate; else as the stable version
 * @param reason why it does not, in one line
 * @param instead what answers in its place; null where nothing does
 */
public record Shortfall(
    String domain, VersionRef wanted, boolean candidate, String reason, StoredVersion instead) {
  @Override
  public String toString() {
    return "domain %s: the rollout names version %d (%s) as %s, but %s; %s"
        .formatted(
            domain,
            wanted.getVersion(),
            wanted.getSha256(),
            candidate ? "candidate" : "stable",
            reason,
            instead == null
                ? "nothing serves instead"
                : "version " + instead.version() + " serves");
  }
}
