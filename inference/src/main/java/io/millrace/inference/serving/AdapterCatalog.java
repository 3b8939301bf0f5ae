package io.millrace.inference.serving;

import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.Refusal;
import io.millrace.inference.store.StoredVersion;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The domains that this process serves, in step with the local store.
 *
 * <p>It is empty until {@link #load}. From then on the two threads that read the topics change it:
 * one adds versions and publications, the other decisions. Any thread may read.
 */
public final class AdapterCatalog implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(AdapterCatalog.class);

  private final AdapterStore store;
  private final Merger merger;
  private final ServingMetrics metrics;
  private final Rollouts rollouts;
  private final Map<String, ServedDomain> domains = new ConcurrentSkipListMap<>();
  private volatile AdapterLoader loader;
  private volatile boolean loaded;

  /**
   * @param merger merges versions; see {@link #startMerging}
   */
  public AdapterCatalog(AdapterStore store, Merger merger, ServingMetrics metrics) {
    this.store = store;
    this.merger = merger;
    this.metrics = metrics;
    this.rollouts = new Rollouts(store);
  }

  /** Reads the store, and loads for each domain the versions that are to serve. */
  public void load(AdapterLoader loader) {
    this.loader = loader;
    store.forEachVersion(version -> domain(version.domain()).add(version));
    store.forEachRefusal(refusal -> domain(refusal.domain()).add(refusal));
    rollouts.load();
    domains.values().forEach(ServedDomain::settle);
    loaded = true;
  }

  /**
   * Begins to merge the versions of the domains that are asked most; after {@link #load}.
   *
   * @param isIdle whether no request is there
   */
  public void startMerging(BooleanSupplier isIdle) {
    merger.start(loader, this::live, isIdle);
  }

  /** The versions in memory of each domain, at the time of the call. */
  Collection<LiveVersions> live() {
    return domains.values().stream().map(ServedDomain::live).toList();
  }

  /** Whether {@link #load} has returned. */
  public boolean isLoaded() {
    return loaded;
  }

  /** Adds a version that was just put into the store; {@link #settle} decides whether it serves. */
  public void add(StoredVersion version) {
    ServedDomain domain = domain(version.domain());
    warnOfGap(domain, version);
    domain.add(version);
  }

  /** Adds a version that was refused and is not in the store. */
  public void add(Refusal refusal) {
    domain(refusal.domain()).add(refusal);
    metrics.refused();
  }

  /** Removes a version that was deleted from the store; {@link #settle} ends its serving. */
  public void remove(String name, long version) {
    ServedDomain domain = domains.get(name);
    if (domain == null) {
      return;
    }
    domain.remove(version);
    if (domain.isEmpty()) {
      domain.close();
      domains.remove(name);
    }
  }

  /** Brings what answers a domain's requests in step with its rollout and its versions. */
  public void settle(String name) {
    ServedDomain domain = domains.get(name);
    if (domain != null) {
      domain.settle();
    }
  }

  /** The rollouts of all domains. */
  public Rollouts rollouts() {
    return rollouts;
  }

  /** The versions that rollouts name and that do not serve here, and what serves instead. */
  public List<Shortfall> shortfalls() {
    return domains.values().stream().flatMap(domain -> domain.shortfalls().stream()).toList();
  }

  /** Removes all domains, after the store was emptied. */
  public void clear() {
    domains.values().forEach(ServedDomain::close);
    domains.clear();
  }

  /** The domain of that name; empty where no version of it was ever received. */
  public Optional<ServedDomain> find(String name) {
    return Optional.ofNullable(domains.get(name));
  }

  /** All domains, in the order of their names. */
  public Collection<ServedDomain> domains() {
    return domains.values();
  }

  /** Ends serving; each version closes with its last request. */
  @Override
  public void close() {
    domains.values().forEach(ServedDomain::close);
  }

  private ServedDomain domain(String name) {
    return domains.computeIfAbsent(
        name, n -> new ServedDomain(n, rollouts, loader, merger, metrics));
  }

  /**
   * Logs a missing or other parent. That is no reason to refuse a version: compaction and pruning
   * leave gaps, and each version is complete by itself.
   */
  private static void warnOfGap(ServedDomain domain, StoredVersion version) {
    Optional<StoredVersion> parent = domain.version(version.version() - 1);
    if (parent.isEmpty() && version.parentSha256() != null) {
      LOG.warn(
          "domain {}: version {} arrived without its parent {}",
          version.domain(),
          version.version(),
          version.parentSha256());
    } else if (parent.isPresent() && !parent.get().sha256().equals(version.parentSha256())) {
      LOG.warn(
          "domain {}: version {} names the parent {}, but version {} here is {}",
          version.domain(),
          version.version(),
          version.parentSha256(),
          version.version() - 1,
          parent.get().sha256());
    }
  }
}
