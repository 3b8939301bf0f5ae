package io.millrace.inference.log;

import io.millrace.client.rollout.RolloutKind;
import io.millrace.client.rollout.RolloutReading;
import io.millrace.client.rollout.RolloutReading.Counts;
import io.millrace.client.rollout.RolloutReading.LeftOut;
import io.millrace.client.rollout.RolloutReading.Outcome;
import io.millrace.inference.serving.AdapterCatalog;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.LoggedEvent;
import io.millrace.inference.store.StreamOffset;
import io.millrace.inference.store.TopicIdentity;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes the events of one kind: puts them into the store, then lets what serves follow them. */
public final class RolloutIntake implements TopicIntake<RolloutEvent> {
  private static final Logger LOG = LoggerFactory.getLogger(RolloutIntake.class);

  private final AdapterStore store;
  private final AdapterCatalog catalog;
  private final RolloutKind kind;
  private final List<LoggedEvent> events = new ArrayList<>();
  private final Map<Integer, Long> read = new TreeMap<>();
  private int partitions;

  public RolloutIntake(AdapterStore store, AdapterCatalog catalog, RolloutKind kind) {
    this.store = store;
    this.catalog = catalog;
    this.kind = kind;
  }

  @Override
  public String topic() {
    return Topics.ROLLOUTS;
  }

  @Override
  public Class<RolloutEvent> type() {
    return RolloutEvent.class;
  }

  @Override
  public boolean holdsAnotherThan(TopicIdentity topic) {
    return store.rolloutTopic(kind).filter(held -> !held.equals(topic)).isPresent();
  }

  @Override
  public void begin(TopicIdentity topic) {
    if (store.rolloutTopic(kind).filter(topic::equals).isEmpty()) {
      catalog.rollouts().startAfresh(kind, topic).forEach(catalog::settle);
    }
  }

  @Override
  public void partitions(int count) {
    partitions = count;
  }

  @Override
  public Map<Integer, Long> offsets() {
    events.clear();
    read.clear();
    return store.rolloutOffsets(kind);
  }

  @Override
  public void record(byte[] key, RolloutEvent event, StreamOffset after, Instant time) {
    Outcome outcome = new RolloutReading(kind, partitions).read(after.partition(), event);
    if (outcome instanceof LeftOut leftOut) {
      unreadable(leftOut.reason(), after);
      return;
    }
    read.put(after.partition(), after.next());
    if (outcome instanceof Counts) {
      events.add(new LoggedEvent(after.partition(), after.next() - 1, time, event));
    }
  }

  @Override
  public void unreadable(String reason, StreamOffset after) {
    LOG.warn("skipped an event of rollouts, before {}: {}", after, reason);
    read.put(after.partition(), after.next());
  }

  @Override
  public void flush() {
    if (read.isEmpty()) {
      return;
    }
    Runnable teller = catalog.rollouts().add(kind, events, read);
    Set<String> domains = new TreeSet<>();
    events.forEach(logged -> domains.add(logged.event().getDomain()));
    domains.forEach(catalog::settle);
    teller.run();
    events.clear();
    read.clear();
  }
}
