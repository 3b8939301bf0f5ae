package io.millrace.inference.serving;

import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.Refusal;
import io.millrace.inference.store.StoredVersion;
import io.millrace.schemas.VersionRef;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.stream.Stream;

/**
 * What this process knows of a domain's versions: those in the local store, and those that it
 * refused and why.
 *
 * <p>The versions are looked up in the store, which holds any number of them. In memory are only
 * the few that were tried here and could not be loaded, at most {@value #MOST_UNLOADABLE}; one that
 * is forgotten would be tried once more.
 *
 * <p>Any thread may read at any time. Changes are serialized by the owner's lock.
 */
final class Inventory implements ServingRule.Versions {
  private static final int MOST_UNLOADABLE = 4 * ServingRule.MOST_TRIED;

  private final String domain;
  private final AdapterStore store;

  /** Versions in the store that were tried and refused, by number. */
  private final ConcurrentSkipListMap<Long, Refusal> unloadable = new ConcurrentSkipListMap<>();

  Inventory(String domain, AdapterStore store) {
    this.domain = domain;
    this.store = store;
  }

  /** A version has come, gone, or come again with other content: what was tried is forgotten. */
  void changed(long version) {
    unloadable.remove(version);
  }

  /** Marks a version that is in the store as one that cannot be loaded. */
  void refuse(Refusal refusal) {
    unloadable.put(refusal.version(), refusal);
    if (unloadable.size() > MOST_UNLOADABLE) {
      unloadable.pollFirstEntry();
    }
  }

  @Override
  public StoredVersion find(long number) {
    return store.version(domain, number).orElse(null);
  }

  @Override
  public StoredVersion before(long number) {
    return store.versionBefore(domain, number).orElse(null);
  }

  @Override
  public String fault(VersionRef ref) {
    long number = ref.getVersion();
    StoredVersion here = find(number);
    boolean isHere = here != null && here.sha256().equals(ref.getSha256());
    Refusal refusal = unloadable.get(number);
    if (refusal == null || !refusal.sha256().equals(ref.getSha256())) {
      if (isHere) {
        return null;
      }
      refusal = store.refusal(domain, number).orElse(null);
    }
    if (refusal != null && refusal.sha256().equals(ref.getSha256())) {
      return "it is refused: " + refusal.reason();
    }
    return here == null
        ? "it is not in the local store"
        : "version " + here.version() + " in the local store is " + here.sha256();
  }

  /** Whether each of these versions is still in the store, with the same content. */
  boolean holds(Collection<StoredVersion> all) {
    return all.stream().allMatch(version -> version.equals(find(version.version())));
  }

  boolean isEmpty() {
    return !store.holdsAnyOf(domain);
  }

  /** The versions in the store that were tried and cannot be loaded, in ascending order. */
  Collection<Refusal> unloadable() {
    return unloadable.values();
  }

  /**
   * The latest refusals before a version, in ascending order: of versions in the store that cannot
   * be loaded, and of others.
   *
   * @param limit how many at most
   */
  List<Refusal> refusalsBefore(long before, int limit) {
    Map<Long, Refusal> tried = unloadable.headMap(before, false);
    List<Refusal> all =
        Stream.concat(
                tried.values().stream(),
                store.refusalsBefore(domain, before, limit).stream()
                    .filter(refusal -> !tried.containsKey(refusal.version())))
            .sorted(Comparator.comparingLong(Refusal::version))
            .toList();
    return all.subList(Math.max(0, all.size() - limit), all.size());
  }
}
