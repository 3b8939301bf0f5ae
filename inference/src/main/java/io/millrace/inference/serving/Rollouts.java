package io.millrace.inference.serving;

import io.millrace.client.rollout.RolloutKind;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.LoggedEvent;
import io.millrace.inference.store.TopicIdentity;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutHistory;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * The state of every domain's rollout: the fold of the events in the local store, in step with it.
 *
 * <p>Two threads add events, one per {@link RolloutKind}. Any thread may read, and may wait for an
 * event that it appends to come back from the topic.
 */
public final class Rollouts {
  /**
   * Where more events of a domain than these are polled together, only their result serves: this
   * process is catching up.
   */
  private static final int FEW = 16;

  /**
   * A domain's rollout, and the versions that are to serve before its stable version.
   *
   * @param due versions that are to serve one after the other, the last one to stay. Each was
   *     published under the policy latest, after the version that serves now
   */
  record State(Rollout rollout, List<VersionRef> due) {
    private State after(RolloutEvent event, boolean isOneOfFew) {
      Rollout next = rollout.apply(event);
      boolean publishes =
          event.getAction() == RolloutAction.PUBLISHED && event.getVersion() != null;
      if (next.policy() != RolloutPolicy.LATEST || (publishes && !isOneOfFew)) {
        return new State(next, List.of());
      }
      return new State(next, publishes ? joined(due, event.getVersion()) : due);
    }

    private static List<VersionRef> joined(List<VersionRef> first, VersionRef last) {
      List<VersionRef> all = new ArrayList<>(first);
      all.add(last);
      return List.copyOf(all.subList(Math.max(0, all.size() - FEW), all.size()));
    }

    private State served(long version) {
      return new State(rollout, due.stream().filter(ref -> ref.getVersion() > version).toList());
    }
  }

  private final AdapterStore store;
  private final Map<String, State> byDomain = new ConcurrentHashMap<>();
  private final Map<String, CompletableFuture<RolloutHistory.Entry>> awaited =
      new ConcurrentHashMap<>();

  public Rollouts(AdapterStore store) {
    this.store = store;
  }

  /** Folds the events in the store. */
  public synchronized void load() {
    Map<String, State> folded = new HashMap<>();
    for (RolloutKind kind : RolloutKind.values()) {
      store.forEachRolloutEvent(
          kind,
          logged ->
              folded.compute(
                  logged.event().getDomain(),
                  (domain, before) -> orInitial(domain, before).after(logged.event(), false)));
    }
    // Never empty in between: any thread may read.
    byDomain.keySet().retainAll(folded.keySet());
    byDomain.putAll(folded);
  }

  private static State orInitial(String domain, State known) {
    return known == null ? new State(Rollout.initial(domain), List.of()) : known;
  }

  /**
   * @param isOneOfFew whether each of the domain's events is to take effect
   * @param teller receives what completes the wait for the event
   */
  private void apply(LoggedEvent logged, boolean isOneOfFew, Consumer<Runnable> teller) {
    RolloutEvent event = logged.event();
    Rollout before = of(event.getDomain());
    Rollout after =
        byDomain
            .compute(
                event.getDomain(),
                (domain, state) -> orInitial(domain, state).after(event, isOneOfFew))
            .rollout();
    CompletableFuture<RolloutHistory.Entry> waiting = awaited.remove(event.getEventId());
    if (waiting != null) {
      String objection =
          Rollout.isDecision(event.getAction()) ? before.objection(event).orElse(null) : null;
      RolloutHistory.Entry entry =
          new RolloutHistory.Entry(logged.offset(), logged.time(), event, objection, after);
      teller.accept(() -> waiting.complete(entry));
    }
  }

  /** A version serves: it and those before it are no longer due. */
  void served(String domain, long version) {
    byDomain.computeIfPresent(domain, (name, state) -> state.served(version));
  }

  /** The state of a domain's rollout; the initial one where there are no events. */
  public Rollout of(String domain) {
    return state(domain).rollout();
  }

  /** As {@link #of}, with the versions that are due. */
  State state(String domain) {
    return orInitial(domain, byDomain.get(domain));
  }

  /**
   * Stores events together with the offsets after them, and adds them to the state.
   *
   * @param offsets per partition, the next offset to read
   * @return completes the waits for these events; to be run once their effect serves
   */
  public synchronized Runnable add(
      RolloutKind kind, List<LoggedEvent> events, Map<Integer, Long> offsets) {
    store.putRolloutEvents(kind, events, offsets);
    List<Runnable> tellers = new ArrayList<>();
    Map<String, Long> counts =
        events.stream()
            .collect(Collectors.groupingBy(e -> e.event().getDomain(), Collectors.counting()));
    for (LoggedEvent logged : events) {
      apply(logged, counts.get(logged.event().getDomain()) <= FEW, tellers::add);
    }
    return () -> tellers.forEach(Runnable::run);
  }

  /**
   * Waits for an event that is about to be appended. To be called before the append.
   *
   * @return completes once this process has read the event and serves accordingly; stays incomplete
   *     where the event does not come
   */
  public CompletableFuture<RolloutHistory.Entry> await(String eventId) {
    return awaited.computeIfAbsent(eventId, id -> new CompletableFuture<>());
  }

  /** Ends the wait for an event. */
  public void forget(String eventId) {
    awaited.remove(eventId);
  }

  /** The names of the domains that have events, sorted. */
  public Set<String> domains() {
    return new TreeSet<>(byDomain.keySet());
  }

  /**
   * Deletes the events of a kind, since they come from another topic than this one.
   *
   * @return the domains that had events
   */
  public synchronized Set<String> startAfresh(RolloutKind kind, TopicIdentity topic) {
    Set<String> domains = new TreeSet<>(byDomain.keySet());
    store.startRolloutsAfresh(kind, topic);
    load();
    return domains;
  }

  /** A domain's events in the order of the topic, with the state after each; reads the store. */
  public RolloutHistory history(String domain) {
    List<LoggedEvent> events = store.rolloutEvents(domain);
    events.sort(
        Comparator.comparingInt(LoggedEvent::partition).thenComparingLong(LoggedEvent::offset));
    RolloutHistory history = new RolloutHistory(domain);
    events.forEach(logged -> history.add(logged.offset(), logged.time(), logged.event()));
    return history;
  }
}
