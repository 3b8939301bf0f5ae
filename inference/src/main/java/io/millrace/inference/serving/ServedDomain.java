package io.millrace.inference.serving;

import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.Refusal;
import io.millrace.inference.store.StoredVersion;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One domain in this process: brings what answers in step with what the log says of its rollout.
 *
 * <p>The parts know nothing of this class: {@link Inventory} holds what is known of the versions,
 * {@link ServingRule} chooses a {@link Plan} from it and the rollout, {@link LiveVersions} loads
 * and answers, {@link Merger} merges. Here they meet: {@link #settle} chooses a plan, loads it, and
 * lets it serve or wait.
 *
 * <p>The threads that read the log call it, and the one that lets plans serve that have waited.
 * Each holds the lock of {@link LiveVersions} from the choice to the move.
 */
public final class ServedDomain implements LoadedDomains.Member {
  private static final Logger LOG = LoggerFactory.getLogger(ServedDomain.class);

  /** What the domains of one process share. */
  record Shared(
      AdapterStore store,
      Rollouts rollouts,
      AdapterLoader loader,
      Merger merger,
      LoadedDomains loadedDomains,
      FirstServed firstServed,
      Map<String, ServedDomain> troubled,
      ServingMetrics metrics) {}

  private final String name;
  private final Shared shared;
  private final Rollouts rollouts;
  private final Merger merger;
  private final ServingMetrics metrics;
  private final Inventory inventory;
  private final LiveVersions live;
  private volatile List<Shortfall> shortfalls = List.of();
  private volatile long askedAt = System.nanoTime();

  /** Whether what answers follows the rollout; changed under the lock. */
  private volatile boolean loaded;

  /**
   * Whether it has no stable version and nothing keeps one from serving; changed under the lock.
   */
  private volatile boolean vacant;

  private boolean closed;

  ServedDomain(String name, Shared shared) {
    this.name = name;
    this.shared = shared;
    this.rollouts = shared.rollouts();
    this.merger = shared.merger();
    this.metrics = shared.metrics();
    this.inventory = new Inventory(name, shared.store());
    this.live = new LiveVersions(name, shared.loader(), merger.maxWait(), metrics);
  }

  /**
   * A version has come into the store, was refused, or is gone; {@link #settle} decides whether it
   * serves.
   */
  void changed(long version) {
    synchronized (live) {
      inventory.changed(version);
    }
  }

  /**
   * Brings what answers in step with the rollout and the versions, if the domain is loaded or there
   * is room to load it. Otherwise its next request does.
   */
  void settle() {
    synchronized (live) {
      if (loaded || shared.loadedDomains().hasRoom()) {
        load();
      } else {
        rollouts.forgetDue(name);
      }
    }
  }

  @Override
  public void load() {
    synchronized (live) {
      if (closed) {
        return;
      }
      long begun = System.nanoTime();
      follow();
      vacant =
          live.current().stable() == null
              && shortfalls.isEmpty()
              && inventory.unloadable().isEmpty();
      if (!loaded) {
        // Not before: requests wait for the loading until then.
        loaded = true;
        shared.loadedDomains().loaded();
        metrics.loaded(Duration.ofNanos(System.nanoTime() - begun));
      }
      recount();
    }
  }

  @Override
  public void unload() {
    synchronized (live) {
      loaded = false;
      vacant = closed;
      live.close();
      recount();
    }
  }

  /** Counts what is in memory, and what is wrong. */
  private void recount() {
    if (loaded) {
      shared.loadedDomains().count(this, live.loadedBytes());
    } else {
      shared.loadedDomains().forget(this);
    }
    if (shortfalls.isEmpty() && inventory.unloadable().isEmpty() || closed) {
      shared.troubled().remove(name, this);
    } else {
      shared.troubled().put(name, this);
    }
  }

  /** Whether what answers follows the rollout; where not, nothing does. */
  public boolean isLoaded() {
    return loaded;
  }

  /**
   * Whether requests that no candidate answers have no version here, as far as is known: there is
   * none, or its rollout lets none serve. False where one ought to serve and cannot be loaded.
   */
  public boolean isVacant() {
    return vacant;
  }

  @Override
  public long askedAt() {
    return askedAt;
  }

  /**
   * Makes the plan for the present state of rollout and versions, loads what it needs, and moves
   * the pointer to it or lets it wait.
   */
  private void follow() {
    synchronized (live) {
      Set<String> fresh = new HashSet<>();
      long begun;
      Rollouts.State state;
      Plan plan;
      do {
        begun = System.nanoTime();
        state = rollouts.state(name);
        plan = plan(state.rollout());
        if (waitsFor(plan)) {
          return;
        }
        live.stopWaiting();
      } while (passThrough(state.due(), plan) || !load(plan, fresh));
      Runnable whenMerged = () -> merger.swap(live, this::serveMerged);
      if (merger.isRunning() && live.postpone(plan, fresh, begun, whenMerged)) {
        merger.await(live, this::serveOverdue);
      } else {
        move(plan, begun);
      }
    }
  }

  private Plan plan(Rollout rollout) {
    ServingRule.Choice choice =
        new ServingRule(rollout, inventory, live.current().stable()).choose();
    for (Shortfall shortfall : choice.shortfalls()) {
      if (!shortfalls.contains(shortfall)) {
        LOG.info("{}", shortfall);
      }
    }
    shortfalls = List.copyOf(choice.shortfalls());
    return choice.plan();
  }

  /** Whether the plan that waits is this one, or one that is to serve before it. */
  private boolean waitsFor(Plan plan) {
    return live.waiting()
        .filter(waiting -> plan.equals(waiting) || comesAfter(waiting, plan))
        .isPresent();
  }

  /**
   * Whether a plan only brings a later version than the one that waits: then that one serves first.
   * Versions that arrive faster than they are merged would never be merged otherwise.
   */
  private boolean comesAfter(Plan waiting, Plan plan) {
    return plan.latest()
        && waiting.latest()
        && plan.stable() != null
        && plan.stable().version() > waiting.stable().version()
        && inventory.holds(List.of(waiting.stable()));
  }

  /**
   * Lets each version that is due serve before the one that is to stay, if only for a moment: every
   * version that was published under the policy latest serves once.
   *
   * @return whether one did, so that the plan is to be made again
   */
  private boolean passThrough(List<VersionRef> due, Plan plan) {
    if (!plan.latest()) {
      return false;
    }
    boolean passed = false;
    for (VersionRef ref : due) {
      long begun = System.nanoTime();
      StoredVersion version =
          inventory.fault(ref) == null ? inventory.find(ref.getVersion()) : null;
      StoredVersion stable = live.current().stable();
      if (version != null
          && !version.equals(plan.stable())
          && !version.equals(stable)
          && (live.isLoaded(version) || tryToLoad(version))) {
        move(new Plan(version, null, 0, stable, true), begun);
        passed = true;
      }
    }
    return passed;
  }

  /**
   * Loads what a plan needs.
   *
   * @param fresh takes the hashes of the versions that were not loaded before
   * @return false where one is refused, so that another plan is needed
   */
  private boolean load(Plan plan, Set<String> fresh) {
    for (StoredVersion version : plan.loaded()) {
      if (!live.isLoaded(version)) {
        if (!tryToLoad(version)) {
          return false;
        }
        fresh.add(version.sha256());
      }
    }
    return true;
  }

  private boolean tryToLoad(StoredVersion version) {
    try {
      live.load(version);
      return true;
    } catch (RefusedException e) {
      Throwable unexpected = e.getCause();
      LOG.warn(
          "domain {}: version {} is refused: {}",
          name,
          version.version(),
          e.getMessage(),
          unexpected);
      metrics.refused();
      inventory.refuse(
          new Refusal(name, version.version(), version.sha256(), e.getMessage(), Instant.now()));
      return false;
    }
  }

  private void move(Plan next, long begun) {
    if (next.stable() != null) {
      rollouts.served(name, next.stable().version());
    }
    Instant now = Instant.now();
    Plan before = live.current();
    for (StoredVersion version : next.serving()) {
      if (!before.serves(version.sha256())) {
        shared.firstServed().serves(version.sha256(), now);
      }
    }
    live.move(next, now, begun);
  }

  /** Lets the plan serve that has waited, if its versions are all merged. */
  private void serveMerged() {
    synchronized (live) {
      live.takeMerged().ifPresent(this::serve);
    }
  }

  /** Lets the plan serve that has waited, if the time limit has ended. */
  private void serveOverdue() {
    synchronized (live) {
      live.takeOverdue().ifPresent(this::serve);
    }
  }

  private void serve(LiveVersions.Waiting ready) {
    if (inventory.holds(ready.plan().loaded())) {
      move(ready.plan(), ready.since());
    }
    load();
  }

  /** Ends serving for good; each version closes with its last request. */
  void close() {
    synchronized (live) {
      closed = true;
      unload();
    }
  }

  /**
   * The version that answers a request, retained for the caller, who must release it.
   *
   * @param key the key of the request, which decides whether the candidate answers it
   * @return null where none is loaded
   */
  public LiveAdapter acquire(String key) {
    askedAt = System.nanoTime();
    return live.acquire(key);
  }

  /** As {@link LiveVersions#pin}. */
  Assignment pin() {
    askedAt = System.nanoTime();
    return live.pin();
  }

  /**
   * Loads it, on another thread.
   *
   * @return completes once {@link #acquire} gives a version, if there is one that can be loaded
   */
  public CompletableFuture<Void> startLoading() {
    askedAt = System.nanoTime();
    return shared.loadedDomains().load(this);
  }

  @Override
  public String name() {
    return name;
  }

  /** The request rate of the domain. */
  Traffic traffic() {
    return live.traffic();
  }

  /** Counts a request for this domain. */
  public void countRequest() {
    if (!live.traffic().count()) {
      merger.watch(live);
    }
  }

  /** What is in memory and answers, for the merging. */
  LiveVersions live() {
    return live;
  }

  /** Whether the store holds nothing of it. */
  boolean isEmpty() {
    return inventory.isEmpty();
  }

  /**
   * What answers, not retained: for reports only. Empty where no stable version is loaded, though a
   * candidate may be.
   */
  public Optional<Assignment> serving() {
    return assigned().filter(now -> now.stable() != null);
  }

  /** As {@link #serving}; empty only where nothing is loaded at all. */
  public Optional<Assignment> assigned() {
    return live.assigned();
  }

  /**
   * The stable version: the one that answers, or where none is loaded the one that the rollout
   * names.
   */
  Optional<VersionRef> stable() {
    return loaded
        ? serving()
            .map(now -> now.stable().version())
            .map(version -> new VersionRef(version.version(), version.sha256()))
        : rollouts.of(name).orNewest(() -> newest()).stable();
  }

  private VersionRef newest() {
    StoredVersion newest = inventory.before(Long.MAX_VALUE);
    return newest == null ? null : new VersionRef(newest.version(), newest.sha256());
  }

  /**
   * What would answer, were it loaded now. Reads the store. As {@link #plan}, and changes nothing.
   */
  public Optional<Expected> expected() {
    Plan plan =
        new ServingRule(rollouts.of(name), inventory, live.current().stable()).choose().plan();
    return plan.serving().isEmpty()
        ? Optional.empty()
        : Optional.of(new Expected(plan.stable(), plan.candidate(), plan.share()));
  }

  /**
   * The versions that would answer.
   *
   * @param stable null where there is none
   * @param candidate null where there is none
   * @param share the candidate's share, from 0 to 1
   */
  public record Expected(StoredVersion stable, StoredVersion candidate, double share) {}

  /** The versions that its rollout names and that do not serve here, as of its last loading. */
  List<Shortfall> shortfalls() {
    return shortfalls;
  }

  /** The version of that number in the store. */
  public Optional<StoredVersion> version(long number) {
    return Optional.ofNullable(inventory.find(number));
  }

  /**
   * The latest versions before a number that are in the store, in ascending order.
   *
   * @param before {@link Long#MAX_VALUE} for the newest ones
   * @param limit how many at most
   */
  public List<StoredVersion> versionsBefore(long before, int limit) {
    return shared.store().versionsBefore(name, before, limit);
  }

  /** As {@link #versionsBefore}, of the versions that were refused. */
  public List<Refusal> refusalsBefore(long before, int limit) {
    return inventory.refusalsBefore(before, limit);
  }

  /** The versions in the store that were tried and refused. */
  Collection<Refusal> unloadable() {
    return inventory.unloadable();
  }

  /**
   * When a version began to serve for the first time since the start; empty where it never did, or
   * where very many did since.
   */
  public Optional<Instant> firstLiveAt(StoredVersion version) {
    return shared.firstServed().at(version.sha256());
  }
}
