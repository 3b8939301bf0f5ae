package io.millrace.inference.serving;

import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The versions that answer one request with several texts: of each domain those that serve when its
 * first text comes, whatever is swapped in until the last one. They stay open until {@link #close}.
 *
 * <p>Any thread may call.
 */
public final class PinnedVersions implements AutoCloseable {
  private final OptionalLong version;
  private final Map<ServedDomain, Assignment> pinned = new HashMap<>();
  private boolean closed;

  /**
   * @param version the number of the one that has to answer, stable or candidate; empty where keys
   *     decide
   */
  public PinnedVersions(OptionalLong version) {
    this.version = version;
  }

  /**
   * As {@link ServedDomain#acquire}.
   *
   * @return null where no version of the domain answers, or this is closed
   */
  public synchronized LiveAdapter acquire(ServedDomain domain, String key) {
    if (closed) {
      return null;
    }
    Assignment assignment = pinned.computeIfAbsent(domain, ServedDomain::pin);
    LiveAdapter chosen = assignment == null ? null : choose(assignment, key);
    if (chosen != null) {
      chosen.retain();
    }
    return chosen;
  }

  private LiveAdapter choose(Assignment assignment, String key) {
    return version.isEmpty() ? assignment.choose(key) : assignment.find(version.getAsLong());
  }

  /** Lets the versions go. */
  @Override
  public synchronized void close() {
    closed = true;
    pinned.values().forEach(Assignment::release);
    pinned.clear();
  }
}
