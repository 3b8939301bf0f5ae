package io.millrace.inference.serving;

import io.millrace.inference.store.StoredVersion;
import io.millrace.svft.adapter.Classifier;
import java.time.Instant;
import java.util.Optional;

/**
 * A version in memory, in one or both of its forms: with M apart from the weights, which it always
 * has, and with M merged into them. Guarded by the lock of its {@link LiveVersions}.
 */
final class LoadedVersion {
  /** What a version takes beside its numbers, about: names, labels and the objects of tensors. */
  private static final long OVERHEAD_BYTES = 64 << 10;

  private final LiveAdapter apart;
  private final long apartBytes;
  private final long loadedAt = System.nanoTime();
  private LiveAdapter merged;
  private Instant since;
  private boolean unmergeable;

  LoadedVersion(LiveAdapter apart) {
    this.apart = apart;
    // The numbers are there twice: as tensors, and in the adapter that a merge begins with.
    this.apartBytes = 2 * apart.classifier().bytes() + OVERHEAD_BYTES;
  }

  /** Bytes of its form with M apart from the weights, about. */
  long apartBytes() {
    return apartBytes;
  }

  StoredVersion version() {
    return apart.version();
  }

  /** With M apart from the weights. */
  LiveAdapter apart() {
    return apart;
  }

  /** The form that answers: merged where there is one. */
  LiveAdapter form() {
    return merged == null ? apart : merged;
  }

  /** When it was loaded, as {@link System#nanoTime}. */
  long loadedAt() {
    return loadedAt;
  }

  /** When it began to answer; null where it never did. */
  Instant since() {
    return since;
  }

  void answersSince(Instant now) {
    since = now;
  }

  /** Whether it has no merged form and may get one. */
  boolean canMerge() {
    return merged == null && !unmergeable && !apart.classifier().isMerged();
  }

  /** Its merging failed: it stays as it is. */
  void giveUpMerging() {
    unmergeable = true;
  }

  void merge(Classifier classifier) {
    merged = new LiveAdapter(version(), classifier);
  }

  /** Bytes of its merged weights; 0 where there are none. */
  long mergedBytes() {
    return merged == null ? 0 : merged.classifier().bytes();
  }

  /**
   * Gives up the merged form, if there is one.
   *
   * @return the merged form; to be released once no pointer leads to it
   */
  Optional<LiveAdapter> detachMerged() {
    LiveAdapter detached = merged;
    merged = null;
    return Optional.ofNullable(detached);
  }

  /** Releases all it has. */
  void close() {
    detachMerged().ifPresent(LiveAdapter::release);
    apart.release();
  }
}
