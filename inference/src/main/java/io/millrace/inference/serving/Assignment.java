package io.millrace.inference.serving;

import java.time.Instant;
import java.util.stream.Stream;

/**
 * The versions that answer a domain's requests. Immutable: a request reads one assignment.
 *
 * @param stable answers the requests that the candidate does not; null where there is none
 * @param stableSince when it began to answer
 * @param candidate answers its share of the requests; null where there is none
 * @param candidateSince when it began to answer
 * @param share decides which requests the candidate answers; null where there is none
 * @param part the candidate's share of the requests, from 0 to 1
 */
public record Assignment(
    LiveAdapter stable,
    Instant stableSince,
    LiveAdapter candidate,
    Instant candidateSince,
    CanaryShare share,
    double part) {
  /**
   * The version that answers a request; null where there is none.
   *
   * @param key the key of the request
   */
  LiveAdapter choose(String key) {
    return candidate != null && share.holds(key) ? candidate : stable;
  }

  /** The stable version or the candidate, whichever has this number; null where neither does. */
  LiveAdapter find(long number) {
    return Stream.of(stable, candidate)
        .filter(each -> each != null && each.version().version() == number)
        .findFirst()
        .orElse(null);
  }

  /**
   * Adds a user to each version.
   *
   * @return false, and none is added, where one is closed
   */
  boolean retain() {
    if (stable != null && !stable.retain()) {
      return false;
    }
    if (candidate != null && !candidate.retain()) {
      if (stable != null) {
        stable.release();
      }
      return false;
    }
    return true;
  }

  /** Removes a user from each version. */
  void release() {
    if (stable != null) {
      stable.release();
    }
    if (candidate != null) {
      candidate.release();
    }
  }
}
