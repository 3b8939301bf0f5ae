package io.millrace.inference;

import io.millrace.svft.Classifier;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A loaded version and the number of those who use it: the pointer that makes it serve, and each
 * request that began with it. The last one to let go closes it, so a swap never waits for a request
 * and no request loses its version.
 */
final class LiveAdapter {
  private final StoredVersion version;
  private final Classifier classifier;
  private final Instant since;
  private final AtomicInteger users = new AtomicInteger(1);

  /**
   * @param since when it was made to serve
   */
  LiveAdapter(StoredVersion version, Classifier classifier, Instant since) {
    this.version = version;
    this.classifier = classifier;
    this.since = since;
  }

  StoredVersion version() {
    return version;
  }

  Classifier classifier() {
    return classifier;
  }

  Instant since() {
    return since;
  }

  /** One more user; false where the last one has already let go. */
  boolean retain() {
    return users.getAndUpdate(n -> n == 0 ? 0 : n + 1) > 0;
  }

  /** One user less. */
  void release() {
    if (users.decrementAndGet() == 0) {
      classifier.close();
    }
  }
}
