package io.millrace.inference.serving;

import io.millrace.inference.store.StoredVersion;
import io.millrace.svft.adapter.Classifier;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A loaded version in one of its two forms, with a count of its users: its domain, and each request
 * that began with it. The last user to release it closes it. So a swap never waits for a request,
 * and no request loses its version.
 */
public final class LiveAdapter {
  private final StoredVersion version;
  private final Classifier classifier;
  private final AtomicInteger users = new AtomicInteger(1);

  /**
   * @param version null for the base model without an adapter
   */
  LiveAdapter(StoredVersion version, Classifier classifier) {
    this.version = version;
    this.classifier = classifier;
  }

  /** The version; null for the base model without an adapter. */
  public StoredVersion version() {
    return version;
  }

  public Classifier classifier() {
    return classifier;
  }

  /**
   * Adds a user.
   *
   * @return false where it is closed
   */
  boolean retain() {
    return users.getAndUpdate(n -> n == 0 ? 0 : n + 1) > 0;
  }

  /** Removes a user; the last one closes it. */
  public void release() {
    if (users.decrementAndGet() == 0) {
      classifier.close();
    }
  }
}
