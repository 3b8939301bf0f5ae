package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.client.process.UsageException;
import io.millrace.client.rollout.RolloutKind;
import io.millrace.client.rollout.RolloutReading;
import io.millrace.client.rollout.RolloutReading.Counts;
import io.millrace.client.rollout.RolloutReading.LeftOut;
import io.millrace.client.rollout.RolloutReading.OfTheOtherKind;
import io.millrace.client.rollout.RolloutReading.Outcome;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import io.millrace.schemas.rollout.RolloutHistory;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * The topic {@code rollouts}, read from its beginning and on as it grows.
 *
 * <p>It is read twice, once for each {@link RolloutKind}; what counts is the rule in {@link
 * RolloutReading}.
 *
 * <p>For one thread at a time.
 */
public final class RolloutLog implements AutoCloseable {
  private record Logged(long offset, Instant time, RolloutEvent event) {}

  private final TopicTail decisions;
  private final TopicTail publications;
  private final Deserializer<RolloutEvent> reader;
  private final NavigableMap<String, NavigableMap<Long, Logged>> domains = new TreeMap<>();

  /**
   * Publications that the reader of decisions has decoded, by partition and offset, so that none of
   * the many is decoded twice.
   */
  private final Map<Integer, Map<Long, RolloutEvent>> uncertain = new HashMap<>();

  private final List<String> unreadable = new ArrayList<>();

  /**
   * Connects; nothing is read yet.
   *
   * @param domain to read that one's partition only; null for all of them
   * @throws UsageException where there is no such topic
   * @throws IllegalStateException where Kafka does not answer
   */
  public RolloutLog(Connection connection, String domain) {
    this.reader = connection.deserializer(RolloutEvent.class);
    this.decisions = tail(connection, RolloutKind.DECISIONS, domain);
    try {
      this.publications = tail(connection, RolloutKind.PUBLICATIONS, domain);
    } catch (RuntimeException e) {
      decisions.close();
      throw e;
    }
  }

  private static TopicTail tail(Connection connection, RolloutKind kind, String domain) {
    return new TopicTail(connection, Topics.ROLLOUTS, kind.isolation(), domain);
  }

  /** Reads on to the end that there is now. */
  public void readOn() {
    decisions.readOn(this::decision);
    publications.readOn(this::publication);
  }

  /**
   * Reads decisions on until one's event has come.
   *
   * @return false where it has not come when the time is up
   */
  boolean readUntil(String eventId, Duration patience) {
    return decisions.readUntil(
        record -> {
          RolloutEvent event = decision(record);
          return event != null && event.getEventId().equals(eventId);
        },
        patience);
  }

  /** Takes a record as the reader of decisions; null where it is no event. */
  private RolloutEvent decision(ConsumerRecord<byte[], byte[]> record) {
    Outcome outcome = read(RolloutKind.DECISIONS, decisions, record);
    if (outcome instanceof Counts counts) {
      add(record, counts.event());
      return counts.event();
    }
    if (outcome instanceof OfTheOtherKind publication) {
      uncertain
          .computeIfAbsent(record.partition(), partition -> new HashMap<>())
          .put(record.offset(), publication.event());
      return publication.event();
    }
    // Recorded once: the reader of publications sees the same records.
    unreadable.add(
        "%s-%d at offset %d: %s"
            .formatted(
                Topics.ROLLOUTS,
                record.partition(),
                record.offset(),
                ((LeftOut) outcome).reason()));
    return null;
  }

  /** Takes a record as the reader of publications. */
  private void publication(ConsumerRecord<byte[], byte[]> record) {
    RolloutEvent known =
        uncertain.getOrDefault(record.partition(), Collections.emptyMap()).remove(record.offset());
    if (known != null) {
      add(record, known);
    } else if (read(RolloutKind.PUBLICATIONS, publications, record) instanceof Counts counts) {
      add(record, counts.event());
    }
  }

  private Outcome read(RolloutKind kind, TopicTail topic, ConsumerRecord<byte[], byte[]> record) {
    try {
      return new RolloutReading(kind, topic.partitionCount())
          .read(record.partition(), reader.deserialize(Topics.ROLLOUTS, record.value()));
    } catch (UnreadableRecordException e) {
      return RolloutReading.unreadable(e);
    }
  }

  private void add(ConsumerRecord<byte[], byte[]> record, RolloutEvent event) {
    domains
        .computeIfAbsent(event.getDomain(), domain -> new TreeMap<>())
        .put(
            record.offset(),
            new Logged(record.offset(), Instant.ofEpochMilli(record.timestamp()), event));
  }

  /** Domains with an event in the log, by name. */
  public Set<String> domains() {
    return Collections.unmodifiableSet(domains.keySet());
  }

  /**
   * The events of a domain in the order of the log, as far as it was read; a new object for each
   * call.
   */
  public RolloutHistory history(String domain) {
    RolloutHistory history = new RolloutHistory(domain);
    domains
        .getOrDefault(domain, Collections.emptyNavigableMap())
        .values()
        .forEach(logged -> history.add(logged.offset(), logged.time(), logged.event()));
    return history;
  }

  /** Records that are left out: their place, and the reason. */
  public List<String> unreadable() {
    return Collections.unmodifiableList(unreadable);
  }

  @Override
  public void close() {
    decisions.close();
    publications.close();
  }
}
