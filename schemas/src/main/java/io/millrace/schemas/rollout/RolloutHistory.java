package io.millrace.schemas.rollout;

import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

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

  private final List<Entry> entries = new ArrayList<>();
  private final Map<String, Entry> byId = new HashMap<>();
  private Rollout now;

  public RolloutHistory(String domain) {
    this.now = Rollout.initial(domain);
  }

  /**
   * Adds the next event of the log. A note that occurs twice, as a restarted job may write it, is
   * added once.
   */
  public void add(long offset, Instant time, RolloutEvent event) {
    boolean note = event.getAction() == RolloutAction.DRIFT;
    if (note && byId.containsKey(event.getEventId())) {
      return;
    }
    String objection =
        Rollout.isDecision(event.getAction()) ? now.objection(event).orElse(null) : null;
    now = now.apply(event);
    Entry entry = new Entry(offset, time, event, objection, now);
    entries.add(entry);
    byId.putIfAbsent(event.getEventId(), entry);
  }

  /** The state after all events. */
  public Rollout now() {
    return now;
  }

  /** The state at a time: after the events up to and including it. */
  public Rollout at(Instant time) {
    Rollout state = Rollout.initial(now.domain());
    for (Entry entry : entries) {
      if (entry.time().isAfter(time)) {
        break;
      }
      state = entry.after();
    }
    return state;
  }

  /** The entry of the event with that id; the first one of several. */
  public Optional<Entry> find(String eventId) {
    return Optional.ofNullable(byId.get(eventId));
  }

  /** All entries, in the order of the log. */
  public List<Entry> entries() {
    return Collections.unmodifiableList(entries);
  }
}
