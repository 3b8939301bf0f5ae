package io.millrace.inference.serving;

import io.millrace.inference.store.StoredVersion;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import java.util.ArrayList;
import java.util.List;

/**
 * Chooses which of a domain's versions answer: those that its rollout names, or others where those
 * cannot serve.
 *
 * <p>Where the stable version is missing or was refused, the one that answers now goes on. After a
 * restart none answers: then the one that was stable before serves, or else the newest older one,
 * of at most {@value #MOST_TRIED}: with a wrong base model none can serve, however many there are.
 * A candidate that is missing or was refused gets no requests.
 */
final class ServingRule {
  /**
   * A plan, and where it differs from the rollout.
   *
   * @param shortfalls the versions that the rollout names and that cannot answer
   */
  record Choice(Plan plan, List<Shortfall> shortfalls) {}

  /** Versions that are tried in place of one that cannot serve. */
  static final int MOST_TRIED = 16;

  /** The versions in the local store. */
  interface Versions {
    /** The version of that number; null where there is none. */
    StoredVersion find(long number);

    /** The version with the greatest number below this one; null where there is none. */
    StoredVersion before(long number);

    /**
     * Why a version cannot serve, in one line.
     *
     * @param ref its number and content
     * @return null where nothing is known against it
     */
    String fault(VersionRef ref);
  }

  private final Rollout rollout;
  private final Versions versions;
  private final StoredVersion serving;

  /**
   * @param serving the stable version that answers now; null where none does
   */
  ServingRule(Rollout rollout, Versions versions, StoredVersion serving) {
    this.rollout = rollout;
    this.versions = versions;
    this.serving = serving;
  }

  Choice choose() {
    List<Shortfall> shortfalls = new ArrayList<>();
    boolean latest = rollout.policy() == RolloutPolicy.LATEST;
    VersionRef wanted = rollout.orNewest(this::newest).stable().orElse(null);
    StoredVersion stable = null;
    if (wanted != null) {
      stable = found(wanted);
      if (stable == null) {
        stable = insteadOf(wanted);
        shortfalls.add(
            new Shortfall(rollout.domain(), wanted, false, versions.fault(wanted), stable));
      }
    }
    StoredVersion candidate = null;
    if (rollout.candidate() != null) {
      candidate = found(rollout.candidate());
      if (candidate == null) {
        String reason = versions.fault(rollout.candidate());
        shortfalls.add(new Shortfall(rollout.domain(), rollout.candidate(), true, reason, stable));
      }
    }
    StoredVersion previous = rollout.previous() == null ? null : found(rollout.previous());
    double share = candidate == null ? 0 : rollout.share();
    return new Choice(new Plan(stable, candidate, share, previous, latest), shortfalls);
  }

  /** Null where it is missing or cannot serve. */
  private StoredVersion found(VersionRef ref) {
    return versions.fault(ref) == null ? versions.find(ref.getVersion()) : null;
  }

  private StoredVersion insteadOf(VersionRef wanted) {
    if (serving != null && canServe(serving)) {
      return serving;
    }
    StoredVersion before = rollout.previous() == null ? null : found(rollout.previous());
    return before != null ? before : newestBefore(wanted.getVersion());
  }

  private VersionRef newest() {
    StoredVersion newest = newestBefore(Long.MAX_VALUE);
    return newest == null ? null : ref(newest);
  }

  private StoredVersion newestBefore(long number) {
    StoredVersion version = versions.before(number);
    for (int tried = 1; version != null && tried < MOST_TRIED && !canServe(version); tried++) {
      version = versions.before(version.version());
    }
    return version != null && canServe(version) ? version : null;
  }

  private boolean canServe(StoredVersion version) {
    return versions.fault(ref(version)) == null;
  }

  private static VersionRef ref(StoredVersion version) {
    return new VersionRef(version.version(), version.sha256());
  }
}
