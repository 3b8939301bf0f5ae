package io.millrace.inference.serving;

import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.Refusal;
import io.millrace.inference.store.StoredVersion;
import io.millrace.schemas.rollout.VersionLookup;
import java.time.Duration;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
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

  /** Domains that are loaded after the start before anybody asks them. */
  private static final int WARMED_UP = 1000;

  /** The longest that one of them waits for requests to end. */
  private static final Duration WARM_UP_PAUSE = Duration.ofMillis(100);

  private static final Duration IDLE_INTERVAL = Duration.ofMillis(1);

  private final AdapterStore store;
  private final Merger merger;
  private final ServingMetrics metrics;
  private final Rollouts rollouts;
  private final LoadedDomains loadedDomains;
  private final FirstServed firstServed = new FirstServed();
  private final ConcurrentNavigableMap<String, ServedDomain> domains =
      new ConcurrentSkipListMap<>();

  /** The domains that do not serve what their rollouts name, or refused a version of the store. */
  private final Map<String, ServedDomain> troubled = new ConcurrentSkipListMap<>();

  private volatile ServedDomain.Shared shared;
  private volatile boolean loaded;
  private volatile boolean closing;
  private Thread warmUp;

  // Guarded by this.
  private LiveAdapter base;
  private boolean closed;

  /** With room for any number of versions. */
  public AdapterCatalog(AdapterStore store, Merger merger, ServingMetrics metrics) {
    this(store, merger, Long.MAX_VALUE, metrics);
  }

  /**
   * @param merger merges versions; see {@link #startMerging}
   * @param maxBytes of the versions in memory, with M apart from the weights
   */
  public AdapterCatalog(AdapterStore store, Merger merger, long maxBytes, ServingMetrics metrics) {
    this.store = store;
    this.merger = merger;
    this.metrics = metrics;
    this.rollouts = new Rollouts(store, metrics);
    this.loadedDomains = new LoadedDomains(maxBytes);
  }

  /**
   * Reads from the store which domains there are and what their rollouts name. Loads no version:
   * each domain is loaded when it is first asked, or by {@link #startWarmUp}.
   */
  public void load(AdapterLoader loader) {
    this.shared =
        new ServedDomain.Shared(
            store, rollouts, loader, merger, loadedDomains, firstServed, troubled, metrics);
    store.forEachDomain(this::domain);
    rollouts.load();
    loaded = true;
  }

  /**
   * Begins to load the first {@value #WARMED_UP} domains by name, while there is room and no
   * request: where there are few domains, none waits for its first request, and what cannot be
   * loaded is known.
   *
   * @param isIdle whether no request is there
   */
  public void startWarmUp(BooleanSupplier isIdle) {
    warmUp = new Thread(() -> warmUp(isIdle), "warm-up");
    warmUp.setDaemon(true);
    warmUp.start();
  }

  /** Room that comes from unloading is for domains that are asked. */
  private void warmUp(BooleanSupplier isIdle) {
    domains.values().stream()
        .limit(WARMED_UP)
        .filter(domain -> !domain.isLoaded())
        .takeWhile(domain -> !closing && loadedDomains.hasRoom() && !loadedDomains.wasFull())
        .forEach(
            domain -> {
              long until = System.nanoTime() + WARM_UP_PAUSE.toNanos();
              while (!isIdle.getAsBoolean() && System.nanoTime() - until < 0) {
                LockSupport.parkNanos(IDLE_INTERVAL.toNanos());
              }
              try {
                domain.settle();
              } catch (RuntimeException e) {
                LOG.error("domain {}: it could not be loaded", domain.name(), e);
              }
            });
  }

  /**
   * Begins to merge the versions of the domains that are asked most; after {@link #load}.
   *
   * @param isIdle whether no request is there
   */
  public void startMerging(BooleanSupplier isIdle) {
    merger.start(shared.loader(), isIdle);
  }

  /** The versions in memory of each domain, at the time of the call. */
  Collection<LiveVersions> live() {
    return domains.values().stream().map(ServedDomain::live).toList();
  }

  /** Whether {@link #load} has returned. */
  public boolean isLoaded() {
    return loaded;
  }

  /**
   * A version was just put into the store; {@link #settle} decides whether it serves.
   *
   * @param replaced what the store held under its number before; null for nothing
   */
  public void add(StoredVersion version, StoredVersion replaced) {
    if (replaced != null && !replaced.sha256().equals(version.sha256())) {
      LOG.warn(
          "domain {}: version {} was {} and is published again as {}",
          version.domain(),
          version.version(),
          replaced.sha256(),
          version.sha256());
    }
    warnOfGap(version);
    domain(version.domain()).changed(version.version());
  }

  /** A version was refused and is not in the store. */
  public void add(Refusal refusal) {
    domain(refusal.domain());
    metrics.refused();
  }

  /** Removes a version that was deleted from the store; {@link #settle} ends its serving. */
  public void remove(String name, long version) {
    ServedDomain domain = domains.get(name);
    if (domain == null) {
      return;
    }
    domain.changed(version);
    if (domain.isEmpty()) {
      domains.remove(name);
      domain.close();
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

  /** The versions of a domain in the store. */
  public VersionLookup versions(String domain) {
    return new StoredVersions(store, domain);
  }

  /** The versions that rollouts name and that do not serve here, and what serves instead. */
  public List<Shortfall> shortfalls() {
    return troubled.values().stream().flatMap(domain -> domain.shortfalls().stream()).toList();
  }

  /** How many versions are refused, as far as they were tried. */
  public long refusedCount() {
    return store.refusedCount()
        + troubled.values().stream().mapToLong(domain -> domain.unloadable().size()).sum();
  }

  /**
   * The latest refusals.
   *
   * @param limit how many, ten at most
   */
  public List<Refusal> latestRefusals(int limit) {
    return Stream.concat(
            store.latestRefusals().stream(),
            troubled.values().stream().flatMap(domain -> domain.unloadable().stream()))
        .sorted(Comparator.comparing(Refusal::at).reversed())
        .limit(limit)
        .toList();
  }

  /** Number of the domains whose versions are in memory. */
  int loadedDomains() {
    return loadedDomains.size();
  }

  /** Bytes of the versions in memory, with M apart from the weights, about. */
  long loadedBytes() {
    return loadedDomains.bytes();
  }

  /** How often a domain was loaded, since the start. */
  long loads() {
    return loadedDomains.loads();
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

  /**
   * The base model without an adapter, retained for the caller, who must release it. Its logits are
   * the vector of a text. Made when it is first asked for, and kept.
   *
   * @return null where nothing serves any more
   */
  public synchronized LiveAdapter acquireBase() {
    if (closed) {
      return null;
    }
    if (base == null) {
      base = new LiveAdapter(null, shared.loader().loadBase());
    }
    base.retain();
    return base;
  }

  /** All domains by name, in the order of their names; a view. */
  public NavigableMap<String, ServedDomain> domains() {
    return Collections.unmodifiableNavigableMap(domains);
  }

  /** Loads no more domains that nobody asks. */
  public void beginClose() {
    closing = true;
  }

  /**
   * Loads no more domains, and waits for the loading of one that is under way.
   *
   * @return false where it still runs when the time is up
   */
  public boolean awaitClosed(Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    beginClose();
    if (!loadedDomains.close(timeout)) {
      return false;
    }
    if (warmUp == null) {
      return true;
    }
    try {
      TimeUnit.NANOSECONDS.timedJoin(warmUp, Math.max(1, deadline - System.nanoTime()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return !warmUp.isAlive();
  }

  /** Ends serving; each version closes with its last request. */
  @Override
  public void close() {
    beginClose();
    loadedDomains.close(Duration.ZERO);
    domains.values().forEach(ServedDomain::close);
    closeBase();
  }

  private synchronized void closeBase() {
    closed = true;
    if (base != null) {
      base.release();
      base = null;
    }
  }

  private ServedDomain domain(String name) {
    return domains.computeIfAbsent(name, n -> new ServedDomain(n, shared));
  }

  /**
   * Logs a missing or other parent. That is no reason to refuse a version: compaction and pruning
   * leave gaps, and each version is complete by itself.
   */
  private void warnOfGap(StoredVersion version) {
    Optional<StoredVersion> parent = store.version(version.domain(), version.version() - 1);
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
