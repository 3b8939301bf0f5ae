package io.millrace.inference.serving;

import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.store.Refusal;
import io.millrace.inference.store.StoredVersion;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.svft.adapter.Classifier;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One domain in this process: the versions it has, those it refused, and what answers.
 *
 * <p>What answers is one pointer, moved only after all it leads to is loaded in full; a request
 * reads it without waiting for anyone. The threads that read the log move it, and the one that lets
 * merged versions serve, one at a time. A version is loaded with M apart from the weights, which is
 * cheap. Where the domain's requests are answered with merged weights, a version that comes is
 * merged too before the pointer moves to it, if that does not take too long; what people or
 * evidence decide waits for nothing.
 */
public final class ServedDomain {
  private static final Logger LOG = LoggerFactory.getLogger(ServedDomain.class);

  /** A version in this process's memory; merged is null where it is not. */
  private static final class Loaded {
    final LiveAdapter apart;
    final long loadedAt = System.nanoTime();
    LiveAdapter merged;
    Instant since;
    boolean unmergeable;

    Loaded(LiveAdapter apart) {
      this.apart = apart;
    }

    StoredVersion version() {
      return apart.version();
    }

    LiveAdapter form() {
      return merged == null ? apart : merged;
    }

    boolean canMerge() {
      return merged == null && !unmergeable && !apart.classifier().isMerged();
    }

    void unmerge() {
      if (merged != null) {
        merged.release();
        merged = null;
      }
    }

    void close() {
      unmerge();
      apart.release();
    }
  }

  /** A plan that waits for its versions to be merged. */
  private record Awaited(Plan plan, Set<String> unmerged, long since) {}

  private final String name;
  private final Rollouts rollouts;
  private final AdapterLoader loader;
  private final Merger merger;
  private final ServingMetrics metrics;
  private final Traffic traffic = new Traffic();
  private final ConcurrentSkipListMap<Long, StoredVersion> versions = new ConcurrentSkipListMap<>();
  private final ConcurrentSkipListMap<Long, Refusal> refusals = new ConcurrentSkipListMap<>();

  /** Versions in the store that were tried and refused. */
  private final Set<Long> unloadable = ConcurrentHashMap.newKeySet();

  private final Map<Long, Instant> firstLiveAt = new ConcurrentHashMap<>();

  /** Null where nothing can answer. */
  private volatile Assignment assignment;

  private volatile List<Shortfall> shortfalls = List.of();

  // Guarded by this.
  private final Map<String, Loaded> loaded = new HashMap<>();
  private Plan current = Plan.NOTHING;
  private Awaited awaited;
  private final Patience patience = new Patience();
  private boolean chosen;

  ServedDomain(
      String name, Rollouts rollouts, AdapterLoader loader, Merger merger, ServingMetrics metrics) {
    this.name = name;
    this.rollouts = rollouts;
    this.loader = loader;
    this.merger = merger;
    this.metrics = metrics;
  }

  /** A version that stands in the store; {@link #settle} decides whether it serves. */
  synchronized void add(StoredVersion version) {
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
  synchronized void remove(long version) {
    versions.remove(version);
    refusals.remove(version);
    unloadable.remove(version);
    firstLiveAt.remove(version);
  }

  /** A version that does not stand in the store, and why. */
  synchronized void add(Refusal refusal) {
    refusals.put(refusal.version(), refusal);
  }

  /** Loads what ought to answer, unless it is loaded already, and moves the pointer to it. */
  synchronized void settle() {
    Set<String> fresh = new HashSet<>();
    long begun;
    Rollouts.State state;
    Plan plan;
    do {
      begun = System.nanoTime();
      state = rollouts.state(name);
      plan = plan(state.rollout());
      if (awaited != null && (plan.equals(awaited.plan) || comesAfterAwaited(plan))) {
        return;
      }
      awaited = null;
    } while (passThrough(state.due(), plan) || !load(plan, fresh));
    Set<String> unmerged = new HashSet<>();
    // What people decide takes effect at once.
    if (chosen && plan.latest()) {
      for (StoredVersion version : plan.serving()) {
        if (fresh.contains(version.sha256())
            && loaded.get(version.sha256()).canMerge()
            && merger.isWorthMerging(traffic, plan.share(version))) {
          unmerged.add(version.sha256());
        }
      }
    }
    if (unmerged.isEmpty() || !patience.isWorthIt()) {
      move(plan, begun);
    } else {
      awaited = new Awaited(plan, unmerged, begun);
      merger.isAwaited(this);
    }
  }

  /**
   * Serves each version that is due before the one that is to stay, if only for a moment: what the
   * log says served did serve.
   *
   * @return whether there was any, so that what is to stay may be another one by now
   */
  private boolean passThrough(List<VersionRef> due, Plan plan) {
    if (!plan.latest()) {
      return false;
    }
    boolean passed = false;
    for (VersionRef ref : due) {
      long begun = System.nanoTime();
      StoredVersion version = fault(ref) == null ? versions.get(ref.getVersion()) : null;
      if (version != null
          && !version.equals(plan.stable())
          && !version.equals(current.stable())
          && isLoaded(version)) {
        move(new Plan(version, null, 0, current.stable(), true), begun);
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
      if (!loaded.containsKey(version.sha256())) {
        if (!load(version)) {
          return false;
        }
        fresh.add(version.sha256());
      }
    }
    return true;
  }

  private boolean isLoaded(StoredVersion version) {
    return loaded.containsKey(version.sha256()) || load(version);
  }

  private Plan plan(Rollout rollout) {
    ServingRule.Choice choice =
        new ServingRule(rollout, versions, this::fault, current.stable()).choose();
    for (Shortfall shortfall : choice.shortfalls()) {
      if (!shortfalls.contains(shortfall)) {
        LOG.info("{}", shortfall);
      }
    }
    shortfalls = List.copyOf(choice.shortfalls());
    return choice.plan();
  }

  /** Why a version cannot serve; null where nothing is known against it. */
  private String fault(VersionRef ref) {
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

  /**
   * Whether one version follows on another that is being merged: that one serves first. Else
   * versions that come faster than they are merged would never be.
   */
  private boolean comesAfterAwaited(Plan plan) {
    StoredVersion first = awaited.plan.stable();
    return plan.latest()
        && awaited.plan.latest()
        && plan.stable() != null
        && plan.stable().version() > first.version()
        && first.equals(versions.get(first.version()));
  }

  private boolean load(StoredVersion version) {
    try {
      loaded.put(version.sha256(), new Loaded(new LiveAdapter(version, loader.load(version))));
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
      unloadable.add(version.version());
      refusals.put(
          version.version(),
          new Refusal(name, version.version(), version.sha256(), e.getMessage(), Instant.now()));
      return false;
    }
  }

  /** Moves the pointer, then lets go of what it no longer leads to. */
  private void move(Plan next, long begun) {
    Plan before = current;
    if (next.stable() != null) {
      rollouts.served(name, next.stable().version());
    }
    Instant now = Instant.now();
    for (StoredVersion version : next.serving()) {
      Loaded entry = loaded.get(version.sha256());
      if (!before.serves(version.sha256())) {
        entry.since = now;
        firstLiveAt.putIfAbsent(version.version(), now);
      }
    }
    current = next;
    point();
    if (next.stable() != null && !next.stable().equals(before.stable())) {
      if (before.stable() != null) {
        metrics.swapped(Duration.ofNanos(System.nanoTime() - begun));
      }
      LOG.info(
          "domain {}: version {} ({}) is live",
          name,
          next.stable().version(),
          next.stable().sha256());
    }
    if (next.candidate() != null && !next.candidate().equals(before.candidate())) {
      LOG.info(
          "domain {}: version {} ({}) is tried on {} of the requests",
          name,
          next.candidate().version(),
          next.candidate().sha256(),
          next.share());
    }
    if (before.candidate() != null && !next.serves(before.candidate().sha256())) {
      LOG.info("domain {}: version {} is tried no more", name, before.candidate().version());
    }
    loaded
        .values()
        .removeIf(
            entry -> {
              String sha256 = entry.version().sha256();
              if (!next.serves(sha256)) {
                entry.unmerge();
              }
              boolean unused = !next.loads(sha256);
              if (unused) {
                entry.close();
              }
              return unused;
            });
  }

  private void point() {
    if (current.serving().isEmpty()) {
      assignment = null;
      return;
    }
    Loaded stable = current.stable() == null ? null : loaded.get(current.stable().sha256());
    Loaded candidate =
        current.candidate() == null ? null : loaded.get(current.candidate().sha256());
    assignment =
        new Assignment(
            stable == null ? null : stable.form(),
            stable == null ? null : stable.since,
            candidate == null ? null : candidate.form(),
            candidate == null ? null : candidate.since,
            candidate == null
                ? null
                : new CanaryShare(name, current.candidate().sha256(), current.share()),
            current.share());
  }

  /** How much it is asked. */
  public Traffic traffic() {
    return traffic;
  }

  /** Whether this is one of the domains that answer with merged weights. */
  synchronized boolean isChosen() {
    return chosen;
  }

  /** Makes this one of the domains that answer with merged weights. */
  synchronized void choose() {
    chosen = true;
  }

  /** A version to merge: of those that wait for it if there are any, else of those that answer. */
  synchronized Optional<LiveAdapter> toMerge() {
    Stream<StoredVersion> wanted =
        awaited != null
            ? awaited.plan.serving().stream().filter(v -> awaited.unmerged.contains(v.sha256()))
            : current.serving().stream()
                .filter(v -> merger.isWorthMerging(traffic, current.share(v)));
    return wanted
        .map(version -> loaded.get(version.sha256()))
        .filter(Loaded::canMerge)
        .map(entry -> entry.apart)
        .findFirst();
  }

  /** Whether a version waits to be merged. */
  synchronized boolean isWaiting() {
    return awaited != null && !awaited.unmerged.isEmpty();
  }

  /** Whether that version, merged, would be of use. */
  synchronized boolean wantsMerged(LiveAdapter version) {
    Loaded entry = loaded.get(version.version().sha256());
    return entry != null
        && entry.apart == version
        && entry.canMerge()
        && (current.serves(version.version().sha256())
            || awaited != null && awaited.plan.serves(version.version().sha256()));
  }

  /** Takes over the merged form of a version. */
  synchronized void merged(LiveAdapter version, Classifier merged) {
    if (!wantsMerged(version)) {
      merged.close();
      return;
    }
    String sha256 = version.version().sha256();
    Loaded entry = loaded.get(sha256);
    entry.merged = new LiveAdapter(version.version(), merged);
    if (!isOutOfPatience(entry.loadedAt)) {
      patience.wasRewarded();
    }
    if (current.serves(sha256)) {
      point();
    }
    settleAwaited(sha256);
  }

  /** A version whose merging failed serves as it is. */
  synchronized void isUnmergeable(LiveAdapter version) {
    Loaded entry = loaded.get(version.version().sha256());
    if (entry != null && entry.apart == version) {
      entry.unmergeable = true;
      settleAwaited(version.version().sha256());
    }
  }

  private void settleAwaited(String sha256) {
    if (awaited != null && awaited.unmerged.remove(sha256) && awaited.unmerged.isEmpty()) {
      merger.awaitedIsMerged(this);
    }
  }

  /** Lets versions serve that have waited, and whose merging has ended. */
  synchronized void endWaiting() {
    if (awaited != null && awaited.unmerged.isEmpty()) {
      moveToAwaited();
    }
  }

  /** Ends the waiting of versions that have waited too long to be merged. */
  synchronized void endPatience() {
    if (awaited != null && isOutOfPatience(awaited.since)) {
      patience.wasInVain();
      moveToAwaited();
    }
  }

  private boolean isOutOfPatience(long since) {
    return System.nanoTime() - since >= merger.patience().toNanos();
  }

  private void moveToAwaited() {
    Awaited ready = awaited;
    awaited = null;
    boolean whole =
        ready.plan.loaded().stream()
            .allMatch(version -> version.equals(versions.get(version.version())));
    if (whole) {
      move(ready.plan, ready.since);
    }
    settle();
  }

  /** Answers with M apart from the weights again, and goes on so. */
  synchronized void unmerge() {
    chosen = false;
    List<Loaded> merged = new ArrayList<>(loaded.values());
    merged.removeIf(entry -> entry.merged == null);
    if (merged.isEmpty()) {
      return;
    }
    List<LiveAdapter> released = merged.stream().map(entry -> entry.merged).toList();
    merged.forEach(entry -> entry.merged = null);
    point();
    released.forEach(LiveAdapter::release);
  }

  /** Bytes that merged weights take up here. */
  synchronized long mergedBytes() {
    return loaded.values().stream()
        .filter(entry -> entry.merged != null)
        .mapToLong(entry -> entry.merged.classifier().bytes())
        .sum();
  }

  /** Ends serving; each version closes with its last request. */
  synchronized void close() {
    awaited = null;
    move(Plan.NOTHING, System.nanoTime());
  }

  /**
   * The version that answers a request, retained for the caller, who must release it; null where
   * none is loaded.
   *
   * @param key the request's, which tells whether the candidate answers it
   */
  public LiveAdapter acquire(String key) {
    while (true) {
      Assignment now = assignment;
      LiveAdapter chosen = now == null ? null : now.choose(key);
      if (chosen == null || chosen.retain()) {
        return chosen;
      }
      // It was swapped out and closed between the two calls; the pointer has moved on.
    }
  }

  public String name() {
    return name;
  }

  boolean isEmpty() {
    return versions.isEmpty() && refusals.isEmpty();
  }

  /**
   * What answers, not retained: only to be told about. Empty where no stable version is loaded,
   * though a candidate may be.
   */
  public Optional<Assignment> serving() {
    return assigned().filter(now -> now.stable() != null);
  }

  /** As {@link #serving}; empty only where nothing is loaded at all. */
  public Optional<Assignment> assigned() {
    return Optional.ofNullable(assignment);
  }

  /** The state of its rollout. */
  Rollout rollout() {
    return rollouts.of(name);
  }

  /** The versions that its rollout names and that do not answer here. */
  List<Shortfall> shortfalls() {
    return shortfalls;
  }

  /** In ascending order. */
  public Collection<StoredVersion> versions() {
    return versions.values();
  }

  /** The version of that number in the store. */
  public Optional<StoredVersion> version(long number) {
    return Optional.ofNullable(versions.get(number));
  }

  /** In ascending order of version. */
  public Collection<Refusal> refusals() {
    return refusals.values();
  }

  /** When this process made a version live for the first time; empty where it never did. */
  public Optional<Instant> firstLiveAt(long version) {
    return Optional.ofNullable(firstLiveAt.get(version));
  }
}
