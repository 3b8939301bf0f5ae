package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.client.process.UsageException;
import io.millrace.pipeline.records.TopicTail.Isolation;
import io.millrace.schemas.RolloutAction;
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
 * <p>It is read twice. Decisions count as they stand in the log, and are read so: a job that was
 * killed may leave its transaction open for a quarter of an hour, and a reader of committed records
 * would wait behind it. That a version was published counts once its transaction is committed.
 *
 * <p>For one thread at a time.
 */
public final class RolloutLog implements AutoCloseable {
  private record Logged(long offset, Instant time, RolloutEvent event) {}

  private final TopicTail standing;
  private final TopicTail committed;
  private final Deserializer<RolloutEvent> reader;
  private final NavigableMap<String, NavigableMap<Long, Logged>> domains = new TreeMap<>();

  /** Publications by partition and offset, as they were read first: the log has many of them. */
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
    this.standing = new TopicTail(connection, Topics.ROLLOUTS, Isolation.AS_IT_STANDS, domain);
    try {
      this.committed = new TopicTail(connection, Topics.ROLLOUTS, Isolation.COMMITTED, domain);
    } catch (RuntimeException e) {
      standing.close();
      throw e;
    }
  }

  /** Reads on to the end that there is now. */
  public void readOn() {
    standing.readOn(this::decision);
    committed.readOn(this::publication);
  }

  /**
   * Reads decisions on until one's event has come.
   *
   * @return false where it has not come when the time is up
   */
  boolean readUntil(String eventId, Duration patience) {
    return standing.readUntil(
        record -> {
          RolloutEvent event = decision(record);
          return event != null && event.getEventId().equals(eventId);
        },
        patience);
  }

  private RolloutEvent decision(ConsumerRecord<byte[], byte[]> record) {
    RolloutEvent event = read(record, true);
    if (event != null && event.getAction() == RolloutAction.PUBLISHED) {
      uncertain
          .computeIfAbsent(record.partition(), partition -> new HashMap<>())
          .put(record.offset(), event);
    } else if (event != null) {
      add(record, event);
    }
    return event;
  }

  private void publication(ConsumerRecord<byte[], byte[]> record) {
    RolloutEvent event =
        uncertain.getOrDefault(record.partition(), Collections.emptyMap()).remove(record.offset());
    if (event == null) {
      event = read(record, false);
    }
    if (event != null && event.getAction() == RolloutAction.PUBLISHED) {
      add(record, event);
    }
  }

  /** Null where it is no event, or one of a domain that does not belong there. */
  private RolloutEvent read(ConsumerRecord<byte[], byte[]> record, boolean complain) {
    String why;
    try {
      RolloutEvent event = reader.deserialize(Topics.ROLLOUTS, record.value());
      if (event == null) {
        why = "it has no value";
      } else if (standing.partitionOf(event.getDomain()) != record.partition()) {
        // There it would have no place among the domain's other events.
        why =
            "it is of domain %s, whose partition is %d: its key is not that domain, or its writer"
                    .formatted(event.getDomain(), standing.partitionOf(event.getDomain()))
                + " chooses partitions otherwise than Kafka's own";
      } else {
        return event;
      }
    } catch (UnreadableRecordException e) {
      why = e.getMessage();
    }
    if (complain) {
      unreadable.add(
          "%s-%d at offset %d: %s"
              .formatted(Topics.ROLLOUTS, record.partition(), record.offset(), why));
    }
    return null;
  }

  private void add(ConsumerRecord<byte[], byte[]> record, RolloutEvent event) {
    domains
        .computeIfAbsent(event.getDomain(), domain -> new TreeMap<>())
        .put(
            record.offset(),
            new Logged(record.offset(), Instant.ofEpochMilli(record.timestamp()), event));
  }

  /** Domains that the log speaks of, by name. */
  public Set<String> domains() {
    return Collections.unmodifiableSet(domains.keySet());
  }

  /** A domain's events in the order of the log, as far as it was read; the caller's own. */
  public RolloutHistory history(String domain) {
    RolloutHistory history = new RolloutHistory(domain);
    domains
        .getOrDefault(domain, Collections.emptyNavigableMap())
        .values()
        .forEach(logged -> history.add(logged.offset(), logged.time(), logged.event()));
    return history;
  }

  /** Records that count for nothing: where, and why. */
  public List<String> unreadable() {
    return Collections.unmodifiableList(unreadable);
  }

  @Override
  public void close() {
    standing.close();
    committed.close();
  }
}
