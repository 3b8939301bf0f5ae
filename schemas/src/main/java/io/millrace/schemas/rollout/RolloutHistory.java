package io.millrace.schemas.rollout;

import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * One domain's rollout, event by event in the order of the log, with the state after each event. It
 * shows which version served at any time, who or what decided so, and why.
 *
 * <p>For one thread while events are added.
 */
public final class RolloutHistory {
  /**
   * One event and its effect.
   *
   * @param offset in the domain's partition
   * @param time Kafka's timestamp of the record
   * @param objection the reason why a decision had no effect; null where it had one, and for other
   *     events
   * @param after the state after the event
   */
  public record Entry(
      long offset, Instant time, RolloutEvent event, String objection, Rollout after) {}

  /** Ids of notes that are remembered; a restarted job repeats its latest ones. */
  private static final int NOTES = 10_000;

  private final int most;
  private final List<Entry> entries = new ArrayList<>();
  private final Set<String> notes = new LinkedHashSet<>();
  private Rollout now;

  /** Keeps all entries. */
  public RolloutHistory(String domain) {
    this(domain, Integer.MAX_VALUE);
  }

  /**
   * @param most entries to keep, the latest
   */
  public RolloutHistory(String domain, int most) {
    this.most = most;
    this.now = Rollout.initial(domain);
  }

  /**
   * Adds the next event of the log. A note that occurs twice, as a restarted job may write it, is
   * added once.
   *
   * @return whether it was added
   */
  public boolean add(long offset, Instant time, RolloutEvent event) {
    if (event.getAction() == RolloutAction.DRIFT && !isNew(event.getEventId())) {
      return false;
    }
    String objection =
        Rollout.isDecision(event.getAction()) ? now.objection(event).orElse(null) : null;
    now = now.apply(event);
    Entry entry = new Entry(offset, time, event, objection, now);
    entries.add(entry);
    if (entries.size() / 2 >= most) {
      entries.subList(0, entries.size() - most).clear();
    }
    return true;
  }

  private boolean isNew(String note) {
    if (!notes.add(note)) {
      return false;
    }
    if (notes.size() > NOTES) {
      notes.remove(notes.iterator().next());
    }
    return true;
  }

  /** The state after all events. */
  public Rollout now() {
    return now;
  }

  /** The state at a time: after the events up to and including it, of those that are kept. */
  public Rollout at(Instant time) {
    Rollout state = Rollout.initial(now.domain());
    for (Entry entry : entries()) {
      if (entry.time().isAfter(time)) {
        break;
      }
      state = entry.after();
    }
    return state;
  }

  /** The entry of the event with that id, the first one of several, if it is kept. */
  public Optional<Entry> find(String eventId) {
    return entries().stream()
        .filter(entry -> entry.event().getEventId().equals(eventId))
        .findFirst();
  }

  /** The entries that are kept, in the order of the log. */
  public List<Entry> entries() {
    int first = Math.max(0, entries.size() - most);
    return Collections.unmodifiableList(entries.subList(first, entries.size()));
  }
}
