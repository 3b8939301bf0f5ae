package io.millrace.inference.serving;

import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.store.Refusal;
import io.millrace.inference.store.StoredVersion;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import java.time.Instant;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
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
public final class ServedDomain {
  private static final Logger LOG = LoggerFactory.getLogger(ServedDomain.class);

  private final String name;
  private final Rollouts rollouts;
  private final Merger merger;
  private final ServingMetrics metrics;
  private final Inventory inventory;
  private final LiveVersions live;
  private volatile List<Shortfall> shortfalls = List.of();

  ServedDomain(
      String name, Rollouts rollouts, AdapterLoader loader, Merger merger, ServingMetrics metrics) {
    this.name = name;
    this.rollouts = rollouts;
    this.merger = merger;
    this.metrics = metrics;
    this.inventory = new Inventory(name);
    this.live = new LiveVersions(name, loader, merger.maxWait(), metrics);
  }

  /** Adds a version that is in the store; {@link #settle} decides whether it serves. */
  void add(StoredVersion version) {
    synchronized (live) {
      inventory.add(version);
    }
  }

  /** Removes a version that is gone from the store. */
  void remove(long version) {
    synchronized (live) {
      inventory.remove(version);
    }
  }

  /** Adds a version that was refused and is not in the store. */
  void add(Refusal refusal) {
    synchronized (live) {
      inventory.add(refusal);
    }
  }

  /**
   * Makes the plan for the present state of rollout and versions, loads what it needs, and moves
   * the pointer to it or lets it wait.
   */
  void settle() {
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
        new ServingRule(rollout, inventory.versions(), inventory::fault, live.current().stable())
            .choose();
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
          inventory.fault(ref) == null ? inventory.versions().get(ref.getVersion()) : null;
      StoredVersion stable = live.current().stable();
      if (version != null
          && !version.equals(plan.stable())
          && !version.equals(stable)
          && (live.isLoaded(version) || load(version))) {
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
        if (!load(version)) {
          return false;
        }
        fresh.add(version.sha256());
      }
    }
    return true;
  }

  private boolean load(StoredVersion version) {
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
        inventory.serves(version.version(), now);
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
    settle();
  }

  /** Ends serving; each version closes with its last request. */
  void close() {
    live.close();
  }

  /**
   * The version that answers a request, retained for the caller, who must release it.
   *
   * @param key the key of the request, which decides whether the candidate answers it
   * @return null where none is loaded
   */
  public LiveAdapter acquire(String key) {
    return live.acquire(key);
  }

  public String name() {
    return name;
  }

  /** The request rate of the domain. */
  Traffic traffic() {
    return live.traffic();
  }

  /** Counts a request for this domain. */
  public void countRequest() {
    live.traffic().count();
  }

  /** What is in memory and answers, for the merging. */
  LiveVersions live() {
    return live;
  }

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

  /** The versions that its rollout names and that do not serve here. */
  List<Shortfall> shortfalls() {
    return shortfalls;
  }

  /** The versions in the store, in ascending order. */
  public Collection<StoredVersion> versions() {
    return inventory.versions().values();
  }

  /** The version of that number in the store. */
  public Optional<StoredVersion> version(long number) {
    return Optional.ofNullable(inventory.versions().get(number));
  }

  /** The versions that were refused, in ascending order. */
  public Collection<Refusal> refusals() {
    return inventory.refusals();
  }

  /** When a version began to serve for the first time since the start; empty where it never did. */
  public Optional<Instant> firstLiveAt(long version) {
    return inventory.firstLiveAt(version);
  }
}
