package io.millrace.inference.serving;

import io.millrace.inference.store.Refusal;
import io.millrace.inference.store.StoredVersion;
import io.millrace.schemas.VersionRef;
import java.time.Instant;
import java.util.Collection;
import java.util.Collections;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What this process knows of a domain's versions: those in the local store, those it refused and
 * why, and when each began to serve.
 *
 * <p>Any thread may read at any time. Changes are serialized by the owner's lock, so that a
 * decision about what serves sees all parts of a change or none.
 */
final class Inventory {
  private static final Logger LOG = LoggerFactory.getLogger(Inventory.class);

  private final String domain;
  private final ConcurrentSkipListMap<Long, StoredVersion> versions = new ConcurrentSkipListMap<>();
  private final ConcurrentSkipListMap<Long, Refusal> refusals = new ConcurrentSkipListMap<>();

  /** Numbers of the versions in the store that were tried and refused. */
  private final Set<Long> unloadable = ConcurrentHashMap.newKeySet();

  private final Map<Long, Instant> firstLiveAt = new ConcurrentHashMap<>();

  Inventory(String domain) {
    this.domain = domain;
  }

  /** Adds a version that is in the store, in place of what was known under its number. */
  void add(StoredVersion version) {
    StoredVersion replaced = versions.put(version.version(), version);
    if (replaced != null && !replaced.sha256().equals(version.sha256())) {
      LOG.warn(
          "domain {}: version {} was {} and is published again as {}",
          domain,
          version.version(),
          replaced.sha256(),
          version.sha256());
      firstLiveAt.remove(version.version());
    }
    refusals.remove(version.version());
    unloadable.remove(version.version());
  }

  /** Adds a version that was refused and is not in the store. */
  void add(Refusal refusal) {
    refusals.put(refusal.version(), refusal);
  }

  /** Removes a version that is gone from the store. */
  void remove(long version) {
    versions.remove(version);
    refusals.remove(version);
    unloadable.remove(version);
    firstLiveAt.remove(version);
  }

  /** Marks a version that is in the store as one that cannot be loaded. */
  void refuse(Refusal refusal) {
    unloadable.add(refusal.version());
    refusals.put(refusal.version(), refusal);
  }

  /** Records that a version serves; only its first time counts. */
  void serves(long version, Instant since) {
    firstLiveAt.putIfAbsent(version, since);
  }

  /**
   * Why a version cannot serve, in one line.
   *
   * @param ref its number and content
   * @return null where nothing is known against it
   */
  String fault(VersionRef ref) {
    StoredVersion here = versions.get(ref.getVersion());
    boolean isHere = here != null && here.sha256().equals(ref.getSha256());
    if (isHere && !unloadable.contains(ref.getVersion())) {
      return null;
    }
    Refusal refusal = refusals.get(ref.getVersion());
    if (refusal != null && refusal.sha256().equals(ref.getSha256())) {
      return "it is refused: " + refusal.reason();
    }
    return here == null || isHere
        ? "it is not in the local store"
        : "version " + here.version() + " in the local store is " + here.sha256();
  }

  /** Whether each of these versions is still in the store, with the same content. */
  boolean holds(Collection<StoredVersion> all) {
    return all.stream().allMatch(version -> version.equals(versions.get(version.version())));
  }

  boolean isEmpty() {
    return versions.isEmpty() && refusals.isEmpty();
  }

  /** The versions in the store, by number. */
  NavigableMap<Long, StoredVersion> versions() {
    return Collections.unmodifiableNavigableMap(versions);
  }

  /** In ascending order of version. */
  Collection<Refusal> refusals() {
    return Collections.unmodifiableCollection(refusals.values());
  }

  /** When a version began to serve for the first time since the start; empty where it never did. */
  Optional<Instant> firstLiveAt(long version) {
    return Optional.ofNullable(firstLiveAt.get(version));
  }
}
