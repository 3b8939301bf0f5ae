package io.millrace.inference.serving;

import io.millrace.client.rollout.RolloutKind;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.LogPlace;
import io.millrace.inference.store.LoggedEvent;
import io.millrace.inference.store.TopicIdentity;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutHistory;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * The state of every domain's rollout: the fold of the events in the local store, in step with it.
 * The states are in memory, the events are not.
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

    private State withoutDue() {
      return due.isEmpty() ? this : new State(rollout, List.of());
    }

    private State served(long version) {
      return new State(rollout, due.stream().filter(ref -> ref.getVersion() > version).toList());
    }
  }

  private final AdapterStore store;
  private final ServingMetrics metrics;
  private final Instant start = Instant.now();
  private final ConcurrentNavigableMap<String, State> byDomain = new ConcurrentSkipListMap<>();
  private final Map<String, CompletableFuture<RolloutHistory.Entry>> awaited =
      new ConcurrentHashMap<>();

  public Rollouts(AdapterStore store, ServingMetrics metrics) {
    this.store = store;
    this.metrics = metrics;
  }

  /** Folds the events in the store. */
  public synchronized void load() {
    Map<String, State> folded = new HashMap<>();
    Consumer<LoggedEvent> fold =
        logged ->
            folded.compute(
                logged.event().getDomain(),
                (domain, before) -> orInitial(domain, before).after(logged.event(), false));
    store.forEachRolloutEvent(RolloutKind.DECISIONS, fold);
    // Of the publications only the last one has an effect that lasts.
    store.forEachNewestPublication(fold);
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
    // What was written before is read again by a process with an empty store.
    if (!after.equals(before) && !logged.time().isBefore(start)) {
      metrics.rolloutEvent(event.getAction());
    }
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

  /** No version is due any more: the domain is not asked, and serves the last one alone. */
  void forgetDue(String domain) {
    byDomain.computeIfPresent(domain, (name, state) -> state.withoutDue());
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

  /** Whether a domain has events. */
  public boolean knows(String domain) {
    return byDomain.containsKey(domain);
  }

  /** The names of the domains that have events, sorted; a view. */
  public NavigableSet<String> domains() {
    return Collections.unmodifiableNavigableSet(byDomain.keySet());
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

  /**
   * A part of a domain's events.
   *
   * @param entries in the order of the topic
   * @param state after the last of them, and after all events before it
   * @param first the place of the first of them; null where there is none
   * @param last the place of the last of them; null where there is none
   * @param hasEarlier whether there are events before them
   * @param hasLater whether there are events after them, within the bounds that were asked for
   */
  public record Part(
      List<RolloutHistory.Entry> entries,
      Rollout state,
      LogPlace first,
      LogPlace last,
      boolean hasEarlier,
      boolean hasLater) {}

  /**
   * A part of a domain's events in the order of the topic, with the state after each. Reads the
   * domain's events from the first one on to the end of the part, and holds no more than the part.
   *
   * @param after the place after which the part begins; null for the latest ones
   * @param isWithin whether an event is to be regarded; the first one that is not ends the reading
   * @param limit events in the part, at most
   */
  public Part history(String domain, LogPlace after, Predicate<LoggedEvent> isWithin, int limit) {
    RolloutHistory history = new RolloutHistory(domain, limit);
    Deque<LogPlace> places = new ArrayDeque<>();
    boolean[] has = new boolean[2];
    store.scanRolloutEvents(
        domain,
        LogPlace.BEGINNING,
        logged -> {
          if (!isWithin.test(logged)) {
            return false;
          }
          if (after != null && places.size() == limit) {
            has[1] = true;
            return false;
          }
          if (history.add(logged.offset(), logged.time(), logged.event())) {
            places.add(logged.place());
            boolean isBefore = after != null && logged.place().compareTo(after) <= 0;
            if (isBefore || places.size() > limit) {
              places.removeFirst();
              has[0] = true;
            }
          }
          return true;
        });
    List<RolloutHistory.Entry> kept = history.entries();
    return new Part(
        List.copyOf(kept.subList(kept.size() - places.size(), kept.size())),
        history.now(),
        places.peekFirst(),
        places.peekLast(),
        has[0],
        has[1]);
  }
}
