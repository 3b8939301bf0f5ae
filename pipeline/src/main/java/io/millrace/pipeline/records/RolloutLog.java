package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.DomainPartition;
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
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
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
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The topic {@code rollouts}, read from its beginning, or from where an earlier process has left a
 * cache, and on as it grows.
 *
 * <p>It is read twice, once for each {@link RolloutKind}; what counts is the rule in {@link
 * RolloutReading}.
 *
 * <p>For one thread at a time.
 */
public final class RolloutLog implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RolloutLog.class);
  private static final int WAIT_SECONDS = 5;

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

  /** Null where nothing is kept for the next process. */
  private RolloutCache cache;

  /** What was read, to be kept; null where nothing is, or it has become too much. */
  private RolloutCache.Content kept;

  private long keptBytes;

  /** Whether something was read since the cache was. */
  private boolean changed;

  /** Records that came from Kafka, as the reader of decisions counts them. */
  private long fetched;

  /** Whether every record up to the positions was taken. */
  private boolean whole;

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

  /**
   * As the constructor, and takes what an earlier process has read from a file; leaves it there for
   * the next one when it closes.
   *
   * @param directory of the files
   */
  public static RolloutLog cached(Connection connection, String domain, Path directory) {
    RolloutLog log = new RolloutLog(connection, domain);
    try {
      log.useCache(connection, domain, directory);
      return log;
    } catch (RuntimeException e) {
      log.close();
      throw e;
    }
  }

  private void useCache(Connection connection, String domain, Path directory) {
    int partitions = decisions.partitionCount();
    Integer partition = domain == null ? null : DomainPartition.of(domain, partitions);
    String topic = identity(connection);
    if (topic == null) {
      return;
    }
    RolloutCache found = new RolloutCache(directory, topic + "-" + partitions, partition);
    RolloutCache.Content content = found.load();
    boolean isSame =
        decisions.resume(content.next().get(RolloutKind.DECISIONS))
            && publications.resume(content.next().get(RolloutKind.PUBLICATIONS));
    if (!isSame) {
      decisions.rewind();
      content = RolloutCache.Content.empty();
    }
    kept = content;
    for (RolloutCache.Read read : content.records()) {
      keptBytes += read.content().length;
      if (read.kind() == null) {
        unreadable.add(new String(read.content(), StandardCharsets.UTF_8));
      } else {
        add(read, reader.deserialize(Topics.ROLLOUTS, read.content()));
      }
    }
    cache = found;
  }

  /** The ids of cluster and topic; null where Kafka does not tell. */
  private static String identity(Connection connection) {
    try (Admin admin = Admin.create(connection.properties())) {
      String cluster = admin.describeCluster().clusterId().get(WAIT_SECONDS, TimeUnit.SECONDS);
      String topic =
          admin
              .describeTopics(List.of(Topics.ROLLOUTS))
              .allTopicNames()
              .get(WAIT_SECONDS, TimeUnit.SECONDS)
              .get(Topics.ROLLOUTS)
              .topicId()
              .toString();
      return cluster + "-" + topic;
    } catch (ExecutionException | TimeoutException e) {
      LOG.info("rollouts are read from the beginning: Kafka does not name the topic", e);
      return null;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return null;
    }
  }

  private static TopicTail tail(Connection connection, RolloutKind kind, String domain) {
    return new TopicTail(connection, Topics.ROLLOUTS, kind.isolation(), domain);
  }

  /** Reads on to the end that there is now. */
  public void readOn() {
    whole = false;
    decisions.readOn(this::decision);
    publications.readOn(this::publication);
    whole = true;
  }

  /**
   * Reads decisions on until one's event has come.
   *
   * @return false where it has not come when the time is up
   */
  boolean readUntil(String eventId, Duration patience) {
    whole = false;
    boolean found =
        decisions.readUntil(
            record -> {
              RolloutEvent event = decision(record);
              return event != null && event.getEventId().equals(eventId);
            },
            patience);
    whole = true;
    return found;
  }

  /** Takes a record as the reader of decisions; null where it is no event. */
  private RolloutEvent decision(ConsumerRecord<byte[], byte[]> record) {
    fetched++;
    Outcome outcome = read(RolloutKind.DECISIONS, decisions, record);
    if (outcome instanceof Counts counts) {
      add(RolloutKind.DECISIONS, record, counts.event());
      return counts.event();
    }
    if (outcome instanceof OfTheOtherKind publication) {
      uncertain
          .computeIfAbsent(record.partition(), partition -> new HashMap<>())
          .put(record.offset(), publication.event());
      return publication.event();
    }
    // Recorded once: the reader of publications sees the same records.
    String line =
        "%s-%d at offset %d: %s"
            .formatted(
                Topics.ROLLOUTS, record.partition(), record.offset(), ((LeftOut) outcome).reason());
    unreadable.add(line);
    keep(null, record, line.getBytes(StandardCharsets.UTF_8));
    return null;
  }

  /** Takes a record as the reader of publications. */
  private void publication(ConsumerRecord<byte[], byte[]> record) {
    RolloutEvent known =
        uncertain.getOrDefault(record.partition(), Collections.emptyMap()).remove(record.offset());
    if (known != null) {
      add(RolloutKind.PUBLICATIONS, record, known);
    } else if (read(RolloutKind.PUBLICATIONS, publications, record) instanceof Counts counts) {
      add(RolloutKind.PUBLICATIONS, record, counts.event());
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

  private void add(RolloutKind kind, ConsumerRecord<byte[], byte[]> record, RolloutEvent event) {
    RolloutCache.Read read = keep(kind, record, record.value());
    add(read, event);
  }

  private void add(RolloutCache.Read read, RolloutEvent event) {
    domains
        .computeIfAbsent(event.getDomain(), domain -> new TreeMap<>())
        .put(read.offset(), new Logged(read.offset(), Instant.ofEpochMilli(read.time()), event));
  }

  private RolloutCache.Read keep(
      RolloutKind kind, ConsumerRecord<byte[], byte[]> record, byte[] content) {
    RolloutCache.Read read =
        new RolloutCache.Read(
            kind, record.partition(), record.offset(), record.timestamp(), content);
    changed = true;
    if (kept != null) {
      keptBytes += content.length;
      kept.records().add(read);
      if (keptBytes > RolloutCache.MOST_BYTES) {
        kept = null;
      }
    }
    return read;
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

  /** How many records came from Kafka and not from a file. */
  long fetched() {
    return fetched;
  }

  private void leaveCache() {
    if (cache == null || !whole || !changed) {
      return;
    }
    if (kept == null) {
      cache.discard();
      return;
    }
    try {
      kept.next().get(RolloutKind.DECISIONS).putAll(decisions.positions());
      kept.next().get(RolloutKind.PUBLICATIONS).putAll(publications.positions());
      cache.save(kept);
    } catch (IllegalStateException e) {
      LOG.info("what was read of rollouts is not kept", e);
    }
  }

  @Override
  public void close() {
    leaveCache();
    decisions.close();
    publications.close();
  }
}
