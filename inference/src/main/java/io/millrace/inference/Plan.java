package io.millrace.inference;

import java.util.ArrayList;
import java.util.List;

/**
 * Which of a domain's versions ought to be loaded, and which of them answer.
 *
 * @param stable answers; null where there is none
 * @param newest whether stable is named for no other reason than that it is the newest
 */
record Plan(StoredVersion stable, boolean newest) {
  /** The versions that answer. */
  List<StoredVersion> serving() {
    List<StoredVersion> serving = new ArrayList<>();
    if (stable != null) {
      serving.add(stable);
    }
    return serving;
  }

  /** Those and the ones that are to be at hand. */
  List<StoredVersion> loaded() {
    return serving();
  }

  boolean serves(String sha256) {
    return serving().stream().anyMatch(version -> version.sha256().equals(sha256));
  }
}
