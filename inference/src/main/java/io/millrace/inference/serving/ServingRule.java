package io.millrace.inference.serving;

import io.millrace.inference.store.StoredVersion;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.NavigableMap;
import java.util.function.Function;

/**
 * Chooses which of a domain's versions answer: those that its rollout names, or others where those
 * cannot serve.
 *
 * <p>Where the stable version is missing or was refused, the one that answers now goes on. After a
 * restart none answers: then the one that was stable before serves, or else the newest older one. A
 * candidate that is missing or was refused gets no requests.
 */
final class ServingRule {
  /**
   * A plan, and where it differs from the rollout.
   *
   * @param shortfalls the versions that the rollout names and that cannot answer
   */
  record Choice(Plan plan, List<Shortfall> shortfalls) {}

  private final Rollout rollout;
  private final NavigableMap<Long, StoredVersion> versions;
  private final Function<VersionRef, String> fault;
  private final StoredVersion serving;

  /**
   * @param versions in the local store, by number
   * @param fault gives the reason why a version of that number and content cannot serve, in one
   *     line; null where there is none
   * @param serving the stable version that answers now; null where none does
   */
  ServingRule(
      Rollout rollout,
      NavigableMap<Long, StoredVersion> versions,
      Function<VersionRef, String> fault,
      StoredVersion serving) {
    this.rollout = rollout;
    this.versions = versions;
    this.fault = fault;
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
        shortfalls.add(new Shortfall(rollout.domain(), wanted, false, fault.apply(wanted), stable));
      }
    }
    StoredVersion candidate = null;
    if (rollout.candidate() != null) {
      candidate = found(rollout.candidate());
      if (candidate == null) {
        String reason = fault.apply(rollout.candidate());
        shortfalls.add(new Shortfall(rollout.domain(), rollout.candidate(), true, reason, stable));
      }
    }
    StoredVersion previous = rollout.previous() == null ? null : found(rollout.previous());
    double share = candidate == null ? 0 : rollout.share();
    return new Choice(new Plan(stable, candidate, share, previous, latest), shortfalls);
  }

  /** Null where it is missing or cannot serve. */
  private StoredVersion found(VersionRef ref) {
    return fault.apply(ref) == null ? versions.get(ref.getVersion()) : null;
  }

  private StoredVersion insteadOf(VersionRef wanted) {
    if (serving != null && canServe(serving)) {
      return serving;
    }
    StoredVersion before = rollout.previous() == null ? null : found(rollout.previous());
    return before != null ? before : newest(versions.headMap(wanted.getVersion(), false));
  }

  private VersionRef newest() {
    StoredVersion newest = newest(versions);
    return newest == null ? null : ref(newest);
  }

  private StoredVersion newest(NavigableMap<Long, StoredVersion> among) {
    return among.values().stream()
        .filter(this::canServe)
        .max(Comparator.comparingLong(StoredVersion::version))
        .orElse(null);
  }

  private boolean canServe(StoredVersion version) {
    return fault.apply(ref(version)) == null;
  }

  private static VersionRef ref(StoredVersion version) {
    return new VersionRef(version.version(), version.sha256());
  }
}
