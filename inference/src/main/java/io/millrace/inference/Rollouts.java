package io.millrace.inference;

import io.millrace.schemas.Rollout;
import io.millrace.schemas.RolloutHistory;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The state of every domain's rollout: the fold of the events in the local store, in step with it.
 *
 * <p>Two threads add to it, one per {@link RolloutKind}; any thread reads.
 */
final class Rollouts {
  private final AdapterStore store;
  private final Map<String, Rollout> byDomain = new ConcurrentHashMap<>();

  Rollouts(AdapterStore store) {
    this.store = store;
  }

  /** Folds what the store holds. */
  synchronized void load() {
    byDomain.clear();
    for (RolloutKind kind : RolloutKind.values()) {
      store.forEachRolloutEvent(kind, this::apply);
    }
  }

  private void apply(LoggedEvent logged) {
    String domain = logged.event().getDomain();
    byDomain.put(domain, of(domain).apply(logged.event()));
  }

  /** The state of a domain's rollout; the initial one where the log says nothing of it. */
  Rollout of(String domain) {
    Rollout known = byDomain.get(domain);
    return known == null ? Rollout.initial(domain) : known;
  }

  /**
   * Keeps events and the offsets after what was read to get them, and adds them to the state.
   *
   * @param offsets per partition, the next to read
   */
  synchronized void add(RolloutKind kind, List<LoggedEvent> events, Map<Integer, Long> offsets) {
    store.putRolloutEvents(kind, events, offsets);
    events.forEach(this::apply);
  }

  /**
   * Forgets the events of a kind, which come from another topic than this one.
   *
   * @return the domains that had any
   */
  synchronized Set<String> startAfresh(RolloutKind kind, TopicIdentity topic) {
    Set<String> domains = new TreeSet<>(byDomain.keySet());
    store.startRolloutsAfresh(kind, topic);
    load();
    return domains;
  }

  /** A domain's events in the order of the log, with the state after each; read from the store. */
  RolloutHistory history(String domain) {
    List<LoggedEvent> events = store.rolloutEvents(domain);
    events.sort(
        Comparator.comparingInt(LoggedEvent::partition).thenComparingLong(LoggedEvent::offset));
    RolloutHistory history = new RolloutHistory(domain);
    events.forEach(logged -> history.add(logged.offset(), logged.time(), logged.event()));
    return history;
  }
}
