package io.millrace.inference.serving;

import java.util.HashMap;
import java.util.Map;

/**
 * The versions that answer one request with several texts: of each domain those that serve when its
 * first text comes, whatever is swapped in until the last one. They stay open until {@link #close}.
 *
 * <p>Any thread may call.
 */
public final class PinnedVersions implements AutoCloseable {
  private final Map<ServedDomain, Assignment> pinned = new HashMap<>();
  private boolean closed;

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
    LiveAdapter version = assignment == null ? null : assignment.choose(key);
    if (version != null) {
      version.retain();
    }
    return version;
  }

  /** Lets the versions go. */
  @Override
  public synchronized void close() {
    closed = true;
    pinned.values().forEach(Assignment::release);
    pinned.clear();
  }
}
