package io.millrace.inference;

import java.time.Instant;
import java.util.List;

/**
 * What answers a domain's requests. A request sees one of these, whole.
 *
 * @param stable answers
 * @param stableSince when it began to
 */
record Assignment(LiveAdapter stable, Instant stableSince) {
  /** The version that answers. */
  LiveAdapter choose() {
    return stable;
  }

  List<LiveAdapter> all() {
    return List.of(stable);
  }
}
