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
 * The domains this process serves, in step with the local store.
 *
 * <p>Until {@link #load} nothing is known here. From then on one thread applies the versions that
 * arrive, two others what rollouts say of them, and any thread reads.
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
   * @param merger is told of versions that wait to be merged; started by whoever made it
   */
  public AdapterCatalog(AdapterStore store, Merger merger, ServingMetrics metrics) {
    this.store = store;
    this.merger = merger;
    this.metrics = metrics;
    this.rollouts = new Rollouts(store);
  }

  /** Loads from the store the version of each domain that ought to serve. */
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

  /** Whether the store's adapters are loaded. */
  public boolean isLoaded() {
    return loaded;
  }

  /** A version that was just put into the store; {@link #settle} decides whether it serves. */
  public void add(StoredVersion version) {
    ServedDomain domain = domain(version.domain());
    warnOfGap(domain, version);
    domain.add(version);
  }

  /** A version that was refused before it came to the store. */
  public void add(Refusal refusal) {
    domain(refusal.domain()).add(refusal);
    metrics.refused();
  }

  /** A version that was just deleted from the store; {@link #settle} takes it from what serves. */
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

  /** Does what a domain's rollout says by now. */
  public void settle(String name) {
    ServedDomain domain = domains.get(name);
    if (domain != null) {
      domain.settle();
    }
  }

  /** What the log says of every domain's rollout. */
  public Rollouts rollouts() {
    return rollouts;
  }

  /** The versions that rollouts name and that do not answer here, and what does instead. */
  public List<Shortfall> shortfalls() {
    return domains.values().stream().flatMap(domain -> domain.shortfalls().stream()).toList();
  }

  /** Forgets every domain, as the store just did. */
  public void clear() {
    domains.values().forEach(ServedDomain::close);
    domains.clear();
  }

  /** The domain of that name; empty where nothing was ever received for it. */
  public Optional<ServedDomain> find(String name) {
    return Optional.ofNullable(domains.get(name));
  }

  /** In the order of their names. */
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
   * A gap is no reason to refuse: compaction and pruning make them, and each version is whole by
   * itself. But it may be news to whoever reads the log.
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
