package io.millrace.inference;

import io.millrace.schemas.Rollout;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutHistory;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The rollouts of all domains as this process has read them: the fold of the log, and who waits for
 * an event of his to come back in it. Any thread may ask; those that read the log add.
 */
final class ServedRollouts {
  private final Map<String, RolloutHistory> histories = new ConcurrentHashMap<>();
  private final Map<String, CompletableFuture<RolloutHistory.Entry>> awaited =
      new ConcurrentHashMap<>();

  /** Adds the next event of its kind, and tells whoever waits for it. */
  void add(long offset, Instant time, RolloutEvent event) {
    RolloutHistory history = histories.computeIfAbsent(event.getDomain(), RolloutHistory::new);
    RolloutHistory.Entry entry;
    synchronized (history) {
      history.add(offset, time, event);
      entry = history.find(event.getEventId()).orElse(null);
    }
    CompletableFuture<RolloutHistory.Entry> waiting = awaited.remove(event.getEventId());
    if (waiting != null) {
      waiting.complete(entry);
    }
  }

  /** Forgets everything, as where the topic turned out to be another one. */
  void clear() {
    histories.clear();
  }

  /** The domain's state; the initial one where the log says nothing about it. */
  Rollout rollout(String domain) {
    RolloutHistory history = histories.get(domain);
    if (history == null) {
      return Rollout.initial(domain);
    }
    synchronized (history) {
      return history.now();
    }
  }

  /**
   * The domain's events in the order of the log, which is not always that in which they were read;
   * the caller's own.
   */
  RolloutHistory history(String domain) {
    RolloutHistory ordered = new RolloutHistory(domain);
    RolloutHistory history = histories.get(domain);
    if (history != null) {
      List<RolloutHistory.Entry> read;
      synchronized (history) {
        read = new ArrayList<>(history.entries());
      }
      read.sort(Comparator.comparingLong(RolloutHistory.Entry::offset));
      read.forEach(entry -> ordered.add(entry.offset(), entry.time(), entry.event()));
    }
    return ordered;
  }

  /** Domains the log speaks of, by name. */
  Set<String> domains() {
    return new TreeSet<>(histories.keySet());
  }

  /**
   * What becomes of an event that is about to be appended. Ask before appending.
   *
   * @return completes when this process has read it; never by itself where it does not come
   */
  CompletableFuture<RolloutHistory.Entry> await(String eventId) {
    return awaited.computeIfAbsent(eventId, id -> new CompletableFuture<>());
  }

  /** Waits no longer for an event. */
  void forget(String eventId) {
    awaited.remove(eventId);
  }
}
