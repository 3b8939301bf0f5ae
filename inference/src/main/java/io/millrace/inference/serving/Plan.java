package io.millrace.inference.serving;

import io.millrace.inference.store.StoredVersion;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * Which of a domain's versions are to be loaded, and which of them answer.
 *
 * @param stable answers the requests that the candidate does not; null where there is none
 * @param candidate answers a share of the requests; null where there is none
 * @param share the candidate's share, from 0 to 1
 * @param previous was stable before, and stays loaded for a rollback; null where there is none
 * @param latest whether the policy is latest: stable serves because it is the newest, not because
 *     of a decision
 */
record Plan(
    StoredVersion stable,
    StoredVersion candidate,
    double share,
    StoredVersion previous,
    boolean latest) {
  static final Plan NOTHING = new Plan(null, null, 0, null, true);

  /** The versions that answer. */
  List<StoredVersion> serving() {
    return Stream.of(stable, candidate).filter(Objects::nonNull).distinct().toList();
  }

  /** The versions that answer and the previous one. */
  List<StoredVersion> loaded() {
    return Stream.of(stable, candidate, previous).filter(Objects::nonNull).distinct().toList();
  }

  boolean serves(String sha256) {
    return serving().stream().anyMatch(version -> version.sha256().equals(sha256));
  }

  boolean loads(String sha256) {
    return loaded().stream().anyMatch(version -> version.sha256().equals(sha256));
  }

  /** The share of the requests that a version answers, from 0 to 1. */
  double share(StoredVersion version) {
    return version.equals(candidate) ? share : 1 - share;
  }
}
