package io.millrace.inference;

import io.millrace.svft.Classifier;
import java.time.Instant;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One domain in this process: the versions it has, those it refused, and the one that serves.
 *
 * <p>One thread changes it, any thread reads. The version that serves is one pointer, moved only
 * after the next version is fully loaded.
 */
final class ServedDomain {
  private static final Logger LOG = LoggerFactory.getLogger(ServedDomain.class);

  private final String name;
  private final AdapterLoader loader;
  private final ConcurrentSkipListMap<Long, StoredVersion> versions = new ConcurrentSkipListMap<>();
  private final ConcurrentSkipListMap<Long, Refusal> refusals = new ConcurrentSkipListMap<>();
  private final Set<Long> unloadable = ConcurrentHashMap.newKeySet();
  private final Map<Long, Instant> firstLiveAt = new ConcurrentHashMap<>();
  private final AtomicReference<LiveAdapter> serving = new AtomicReference<>();

  ServedDomain(String name, AdapterLoader loader) {
    this.name = name;
    this.loader = loader;
  }

  /** A version that stands in the store; {@link #settle} decides whether it serves. */
  void add(StoredVersion version) {
    StoredVersion replaced = versions.put(version.version(), version);
    if (replaced != null && !replaced.sha256().equals(version.sha256())) {
      LOG.warn(
          "domain {}: version {} was {} and is published again as {}",
          name,
          version.version(),
          replaced.sha256(),
          version.sha256());
      firstLiveAt.remove(version.version());
    }
    refusals.remove(version.version());
    unloadable.remove(version.version());
  }

  /** A version that is gone from the store. */
  void remove(long version) {
    versions.remove(version);
    refusals.remove(version);
    unloadable.remove(version);
    firstLiveAt.remove(version);
  }

  /** A version that does not stand in the store, and why. */
  void add(Refusal refusal) {
    refusals.put(refusal.version(), refusal);
  }

  /** Loads the version that ought to serve, unless it does already, and swaps it in. */
  void settle() {
    while (true) {
      Optional<Long> chosen = ServingRule.choose(versions.keySet(), v -> !unloadable.contains(v));
      if (chosen.isEmpty()) {
        swap(null);
        return;
      }
      StoredVersion next = versions.get(chosen.get());
      LiveAdapter current = serving.get();
      if (current != null && current.version().sha256().equals(next.sha256())) {
        return;
      }
      try {
        Classifier classifier = loader.load(next);
        Instant now = Instant.now();
        firstLiveAt.putIfAbsent(next.version(), now);
        swap(new LiveAdapter(next, classifier, now));
        LOG.info("domain {}: version {} ({}) is live", name, next.version(), next.sha256());
        return;
      } catch (RefusedException e) {
        Throwable unexpected = e.getCause();
        LOG.warn(
            "domain {}: version {} is refused: {}",
            name,
            next.version(),
            e.getMessage(),
            unexpected);
        unloadable.add(next.version());
        refusals.put(
            next.version(),
            new Refusal(name, next.version(), next.sha256(), e.getMessage(), Instant.now()));
      }
    }
  }

  private void swap(LiveAdapter next) {
    LiveAdapter previous = serving.getAndSet(next);
    if (previous != null) {
      previous.release();
    }
  }

  /** Ends serving; the version closes with its last request. */
  void close() {
    swap(null);
  }

  /**
   * The version that serves, retained for the caller, who must release it; null where none is
   * loaded.
   */
  LiveAdapter acquire() {
    while (true) {
      LiveAdapter current = serving.get();
      if (current == null || current.retain()) {
        return current;
      }
      // It was swapped out and closed between the two calls; the pointer has moved on.
    }
  }

  String name() {
    return name;
  }

  boolean isEmpty() {
    return versions.isEmpty() && refusals.isEmpty();
  }

  /** The version that serves, not retained: only to be told about. Empty where none is loaded. */
  Optional<LiveAdapter> serving() {
    return Optional.ofNullable(serving.get());
  }

  /** In ascending order. */
  Collection<StoredVersion> versions() {
    return versions.values();
  }

  /** The version of that number in the store. */
  Optional<StoredVersion> version(long number) {
    return Optional.ofNullable(versions.get(number));
  }

  /** In ascending order of version. */
  Collection<Refusal> refusals() {
    return refusals.values();
  }

  /** When this process made a version live for the first time; empty where it never did. */
  Optional<Instant> firstLiveAt(long version) {
    return Optional.ofNullable(firstLiveAt.get(version));
  }
}
