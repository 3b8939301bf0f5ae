package io.millrace.inference.serving;

import java.time.Instant;

/**
 * What answers a domain's requests. A request sees one of these, whole.
 *
 * @param stable answers what the candidate does not; null where there is none
 * @param stableSince when it began to
 * @param candidate answers the share of the requests that is its; null where there is none
 * @param candidateSince when it began to
 * @param share which requests the candidate answers; null where there is none
 * @param part how many, from 0 to 1
 */
public record Assignment(
    LiveAdapter stable,
    Instant stableSince,
    LiveAdapter candidate,
    Instant candidateSince,
    CanaryShare share,
    double part) {
  /**
   * The version that answers a request; null where none does.
   *
   * @param key the request's
   */
  LiveAdapter choose(String key) {
    return candidate != null && share.holds(key) ? candidate : stable;
  }
}
