package io.millrace.inference.serving;

import io.millrace.inference.store.StoredVersion;
import io.millrace.svft.adapter.Classifier;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A loaded version, in one of its two forms, and the number of those who use it: the domain it
 * belongs to, and each request that began with it. The last one to let go closes it, so a swap
 * never waits for a request and no request loses its version.
 */
public final class LiveAdapter {
  private final StoredVersion version;
  private final Classifier classifier;
  private final AtomicInteger users = new AtomicInteger(1);

  LiveAdapter(StoredVersion version, Classifier classifier) {
    this.version = version;
    this.classifier = classifier;
  }

  public StoredVersion version() {
    return version;
  }

  public Classifier classifier() {
    return classifier;
  }

  /** One more user; false where the last one has already let go. */
  boolean retain() {
    return users.getAndUpdate(n -> n == 0 ? 0 : n + 1) > 0;
  }

  /** One user less. */
  public void release() {
    if (users.decrementAndGet() == 0) {
      classifier.close();
    }
  }
}
