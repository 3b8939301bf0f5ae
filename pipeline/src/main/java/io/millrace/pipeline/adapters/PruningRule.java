package io.millrace.pipeline.adapters;

import java.time.Instant;
import java.util.Collection;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Set;
import java.util.TreeSet;

/**
 * Which versions of a domain may be deleted.
 *
 * <p>Kept are the newest ones, those made since a time, and those that the rollout names. Kept with
 * each of them is what a replay needs that starts at the last snapshot before it: all versions
 * between, since only their manifests say how their steps were trained.
 *
 * @param keep how many of the newest to keep; at least one is
 * @param since keep what was made at this time or later; null to regard no time
 */
public record PruningRule(int keep, Instant since) {
  /**
   * Decides.
   *
   * @param versions when each was made, by number
   * @param named numbers of the versions that the rollout names
   * @param snapshots numbers of the versions whose snapshots are on record
   * @return numbers of the versions that may be deleted
   */
  public NavigableSet<Long> deletable(
      NavigableMap<Long, Instant> versions, Collection<Long> named, NavigableSet<Long> snapshots) {
    Set<Long> kept = new TreeSet<>(named);
    versions.descendingKeySet().stream().limit(Math.max(1, keep)).forEach(kept::add);
    if (since != null) {
      versions.forEach(
          (number, made) -> {
            if (!made.isBefore(since)) {
              kept.add(number);
            }
          });
    }
    kept.retainAll(versions.keySet());
    NavigableSet<Long> deletable = new TreeSet<>(versions.keySet());
    for (long number : kept) {
      Long snapshot = snapshots.lower(number);
      if (snapshot == null) {
        deletable.remove(number);
      } else {
        deletable.subSet(snapshot, false, number, true).clear();
      }
    }
    return deletable;
  }
}
