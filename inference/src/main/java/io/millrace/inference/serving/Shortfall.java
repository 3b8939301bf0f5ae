package io.millrace.inference.serving;

import io.millrace.inference.store.StoredVersion;
import io.millrace.schemas.VersionRef;

/**
 * A version that a rollout names and that does not serve here.
 *
 * @param wanted the version
 * @param candidate whether the rollout names it as the candidate; else as the stable version
 * @param reason why it does not serve, in one line
 * @param instead the version that serves in its place; null where none does
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
