package io.millrace.inference.serving;

import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.store.StoredVersion;
import io.millrace.svft.adapter.Classifier;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The versions of one domain that are in memory, the pointer to those that answer, and the plan
 * that waits until its versions are merged.
 *
 * <p><b>The pointer.</b> {@link #acquire} reads one volatile reference to an immutable {@link
 * Assignment}, chooses a version and adds itself to its users. It takes no lock, so a request never
 * waits for a swap. The pointer moves only after everything that it leads to is loaded in full.
 * Only then are versions released that it led to before; each closes with its last request. A
 * request may read the pointer, lose the processor, and find the version closed: then the pointer
 * has moved on, and the request reads it again.
 *
 * <p><b>Forms.</b> A version is loaded with M apart from the weights, which is cheap. In a domain
 * with many requests (<i>chosen</i> by the {@link Merger}), the versions that answer get a second
 * form with M merged into the weights, which answers faster and holds a whole model's memory. Where
 * both are there, the merged one answers.
 *
 * <p><b>Waiting.</b> A new version of a chosen domain would answer slowly until it is merged. So
 * its plan is postponed: the current plan answers until the new versions are merged, or until a
 * time limit ends. A decision of people or evidence is never postponed. At most one plan waits:
 *
 * <pre>{@code
 * state    current  waiting  who answers  next state
 * -------  -------  -------  -----------  ---------------------------------------------------------
 * empty    NOTHING  -        nothing      move(P): serving P
 * serving  P        -        P            move(Q): serving Q
 *                                         postpone(Q): waiting for Q
 * waiting  P        Q        P            merged or giveUpMerging of Q's last version: the callback;
 *                                           the owner calls takeMerged and move(Q): serving Q
 *                                         the time limit: the owner calls takeOverdue and move(Q)
 *                                         another plan: stopWaiting, as serving P
 * any      P        any      P            close, to end or to make room for other domains: empty
 * }</pre>
 *
 * <p><b>States of a version.</b> {@code apart} and {@code merged} are the forms that it has:
 *
 * <pre>{@code
 * state      apart  merged  when
 * ---------  -----  ------  ------------------------------------------------------------------
 * loaded     yes    no      in a plan, does not answer: kept for a rollback, or waiting
 * merged     yes    yes     waiting, and merged before the others of its plan
 * answering  yes    no      the current plan serves it
 * fast       yes    yes     the current plan serves it, and its domain is chosen
 * released   no     no      no plan names it; a request may still use it
 * }</pre>
 *
 * <p><b>Threads.</b> One lock, the monitor of this object, guards everything but the pointer. The
 * owner, {@link ServedDomain}, holds it from the choice of a plan to the move, so that no other
 * thread changes what the choice was made from. The merging thread takes it for one call at a time
 * and finds out in {@link #merged} whether its result is still wanted.
 */
final class LiveVersions {
  private static final Logger LOG = LoggerFactory.getLogger(LiveVersions.class);

  /**
   * A plan that waits for its versions to be merged.
   *
   * @param unmerged hashes of the versions that are still to be merged
   * @param since when the plan was made, as {@link System#nanoTime}
   * @param whenMerged called once when all of them are; must not block
   */
  record Waiting(Plan plan, Set<String> unmerged, long since, Runnable whenMerged) {}

  private final String domain;
  private final AdapterLoader loader;
  private final Duration maxWait;
  private final ServingMetrics metrics;
  private final Traffic traffic = new Traffic();

  /** Null where nothing can answer. */
  private volatile Assignment assignment;

  // Guarded by this.
  private final Map<String, LoadedVersion> loaded = new HashMap<>();
  private final MergeBackoff backoff = new MergeBackoff();
  private Plan current = Plan.NOTHING;
  private Waiting waiting;
  private boolean chosen;

  /**
   * @param maxWait how long a plan may wait for its versions to be merged
   */
  LiveVersions(String domain, AdapterLoader loader, Duration maxWait, ServingMetrics metrics) {
    this.domain = domain;
    this.loader = loader;
    this.maxWait = maxWait;
    this.metrics = metrics;
  }

  String domain() {
    return domain;
  }

  /** The request rate of the domain. */
  Traffic traffic() {
    return traffic;
  }

  // For requests.

  /**
   * The version that answers a request, retained for the caller, who must release it.
   *
   * @param key the key of the request, which decides whether the candidate answers it
   * @return null where none is loaded
   */
  LiveAdapter acquire(String key) {
    while (true) {
      Assignment now = assignment;
      LiveAdapter version = now == null ? null : now.choose(key);
      if (version == null || version.retain()) {
        return version;
      }
      // It was swapped out and closed between the two calls; the pointer has moved on.
    }
  }

  /**
   * What answers, with all its versions retained for the caller, who must release it.
   *
   * @return null where none is loaded
   */
  Assignment pin() {
    while (true) {
      Assignment now = assignment;
      if (now == null || now.retain()) {
        return now;
      }
      // As in acquire.
    }
  }

  /** What answers, not retained; empty where nothing is loaded. */
  Optional<Assignment> assigned() {
    return Optional.ofNullable(assignment);
  }

  // For the owner, which decides what serves.

  /** The plan that answers. */
  synchronized Plan current() {
    return current;
  }

  /** The plan that waits; empty where none does. */
  synchronized Optional<Plan> waiting() {
    return Optional.ofNullable(waiting).map(Waiting::plan);
  }

  synchronized boolean isLoaded(StoredVersion version) {
    return loaded.containsKey(version.sha256());
  }

  /**
   * Loads a version, with M apart from the weights.
   *
   * @throws RefusedException where a check fails
   */
  synchronized void load(StoredVersion version) throws RefusedException {
    LiveAdapter apart = new LiveAdapter(version, loader.load(version));
    loaded.put(version.sha256(), new LoadedVersion(apart));
  }

  /**
   * Lets a plan wait, unless it has no version to wait for, or versions waited in vain before.
   *
   * @param plan all of whose versions are loaded
   * @param fresh hashes of those that were not loaded before
   * @param begun when the plan was made, as {@link System#nanoTime}
   * @param whenMerged called when the wait is over before its time; must not block
   * @return false where the plan is to serve now
   */
  synchronized boolean postpone(Plan plan, Set<String> fresh, long begun, Runnable whenMerged) {
    // A decision of people or evidence takes effect at once.
    if (!chosen || !plan.latest()) {
      return false;
    }
    Set<String> unmerged = new HashSet<>();
    for (StoredVersion version : plan.serving()) {
      if (fresh.contains(version.sha256())
          && loaded.get(version.sha256()).canMerge()
          && traffic.isWorthMerging(plan.share(version))) {
        unmerged.add(version.sha256());
      }
    }
    if (unmerged.isEmpty() || !backoff.admitNext()) {
      return false;
    }
    waiting = new Waiting(plan, unmerged, begun, whenMerged);
    return true;
  }

  /** Drops the plan that waits; it does not serve. */
  synchronized void stopWaiting() {
    waiting = null;
  }

  /** Ends the wait of a plan whose versions are all merged, or never will be; empty otherwise. */
  synchronized Optional<Waiting> takeMerged() {
    return waiting != null && waiting.unmerged.isEmpty() ? takeWaiting() : Optional.empty();
  }

  /** Ends the wait of a plan that has waited as long as it may; empty otherwise. */
  synchronized Optional<Waiting> takeOverdue() {
    if (waiting == null || !isOverdue(waiting.since)) {
      return Optional.empty();
    }
    backoff.timedOut();
    return takeWaiting();
  }

  private Optional<Waiting> takeWaiting() {
    Waiting taken = waiting;
    waiting = null;
    return Optional.of(taken);
  }

  private boolean isOverdue(long since) {
    return System.nanoTime() - since >= maxWait.toNanos();
  }

  /**
   * Moves the pointer, then releases what it no longer leads to.
   *
   * @param next all of whose versions are loaded
   * @param now when the versions that are new to the pointer begin to answer
   * @param begun when they were wanted, as {@link System#nanoTime}
   */
  synchronized void move(Plan next, Instant now, long begun) {
    Plan before = current;
    for (StoredVersion version : next.serving()) {
      if (!before.serves(version.sha256())) {
        loaded.get(version.sha256()).answersSince(now);
      }
    }
    current = next;
    point();
    report(before, begun);
    loaded
        .values()
        .removeIf(
            version -> {
              String sha256 = version.version().sha256();
              if (!next.serves(sha256)) {
                version.detachMerged().ifPresent(LiveAdapter::release);
              }
              boolean unused = !next.loads(sha256);
              if (unused) {
                version.close();
              }
              return unused;
            });
  }

  private void report(Plan before, long begun) {
    StoredVersion stable = current.stable();
    StoredVersion candidate = current.candidate();
    if (stable != null && !stable.equals(before.stable())) {
      if (before.stable() != null) {
        metrics.swapped(Duration.ofNanos(System.nanoTime() - begun));
      }
      LOG.info("domain {}: version {} ({}) is live", domain, stable.version(), stable.sha256());
    }
    if (candidate != null && !candidate.equals(before.candidate())) {
      LOG.info(
          "domain {}: version {} ({}) is tried on {} of the requests",
          domain,
          candidate.version(),
          candidate.sha256(),
          current.share());
    }
    if (before.candidate() != null && !current.serves(before.candidate().sha256())) {
      LOG.info("domain {}: version {} is tried no more", domain, before.candidate().version());
    }
  }

  private void point() {
    if (current.serving().isEmpty()) {
      assignment = null;
      return;
    }
    LoadedVersion stable = loaded(current.stable());
    LoadedVersion candidate = loaded(current.candidate());
    assignment =
        new Assignment(
            stable == null ? null : stable.form(),
            stable == null ? null : stable.since(),
            candidate == null ? null : candidate.form(),
            candidate == null ? null : candidate.since(),
            candidate == null
                ? null
                : new CanaryShare(domain, current.candidate().sha256(), current.share()),
            current.share());
  }

  private LoadedVersion loaded(StoredVersion version) {
    return version == null ? null : loaded.get(version.sha256());
  }

  /** Ends serving, until the next move; each version closes with its last request. */
  synchronized void close() {
    waiting = null;
    chosen = false;
    current = Plan.NOTHING;
    point();
    loaded.values().forEach(LoadedVersion::close);
    loaded.clear();
  }

  /** Bytes of the versions here with M apart from the weights. */
  synchronized long loadedBytes() {
    return loaded.values().stream().mapToLong(LoadedVersion::apartBytes).sum();
  }

  // For the merging thread.

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
        waiting != null
            ? waiting.plan.serving().stream().filter(v -> waiting.unmerged.contains(v.sha256()))
            : current.serving().stream().filter(v -> traffic.isWorthMerging(current.share(v)));
    return wanted
        .map(version -> loaded.get(version.sha256()))
        .filter(LoadedVersion::canMerge)
        .map(LoadedVersion::apart)
        .findFirst();
  }

  /** Whether a plan waits for a version to be merged. */
  synchronized boolean isWaiting() {
    return waiting != null && !waiting.unmerged.isEmpty();
  }

  /** Whether the merged form of that version is still wanted. */
  synchronized boolean wantsMerged(LiveAdapter version) {
    String sha256 = version.version().sha256();
    LoadedVersion known = loaded.get(sha256);
    return known != null
        && known.apart() == version
        && known.canMerge()
        && (current.serves(sha256) || waiting != null && waiting.plan.serves(sha256));
  }

  /** Takes over the merged form of a version, or closes it where it is no longer wanted. */
  synchronized void merged(LiveAdapter version, Classifier merged) {
    if (!wantsMerged(version)) {
      merged.close();
      return;
    }
    String sha256 = version.version().sha256();
    LoadedVersion known = loaded.get(sha256);
    known.merge(merged);
    if (!isOverdue(known.loadedAt())) {
      backoff.succeeded();
    }
    if (current.serves(sha256)) {
      point();
    }
    settleWaiting(sha256);
  }

  /** The merging of a version failed: it serves unmerged. */
  synchronized void giveUpMerging(LiveAdapter version) {
    LoadedVersion known = loaded.get(version.version().sha256());
    if (known != null && known.apart() == version) {
      known.giveUpMerging();
      settleWaiting(version.version().sha256());
    }
  }

  private void settleWaiting(String sha256) {
    if (waiting != null && waiting.unmerged.remove(sha256) && waiting.unmerged.isEmpty()) {
      waiting.whenMerged.run();
    }
  }

  /** Answers with M apart from the weights again, until it is chosen once more. */
  synchronized void unmerge() {
    chosen = false;
    List<LiveAdapter> detached =
        loaded.values().stream()
            .map(LoadedVersion::detachMerged)
            .flatMap(Optional::stream)
            .toList();
    if (detached.isEmpty()) {
      return;
    }
    point();
    detached.forEach(LiveAdapter::release);
  }

  /** Bytes of the merged weights here. */
  synchronized long mergedBytes() {
    return loaded.values().stream().mapToLong(LoadedVersion::mergedBytes).sum();
  }
}
