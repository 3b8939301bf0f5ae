package io.millrace.inference.log;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.RegistryUnavailableException;
import io.millrace.client.process.Failures;
import io.millrace.inference.store.StreamOffset;
import io.millrace.inference.store.TopicIdentity;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Header;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads every partition of some topics in order, from the offsets that their intakes have stored
 * on, on a thread of its own.
 *
 * <p>There is no consumer group: every serving process reads all records, and keeps its offsets in
 * its own store, beside the records. Where Kafka, the registry or the disk fails, the reader tries
 * again until it works; meanwhile loaded versions serve on. A missing topic does not stop the
 * reading of the others.
 */
public final class TopicReader {
  private static final Logger LOG = LoggerFactory.getLogger(TopicReader.class);
  private static final Duration POLL = Duration.ofMillis(250);
  private static final Duration RETRY = Duration.ofSeconds(1);

  /** How often to look for new partitions, and for a topic that was deleted and made again. */
  private static final Duration LOOK_INTERVAL = Duration.ofSeconds(5);

  private final Connection connection;
  private final String isolation;
  private final List<FollowedTopic<?>> topics = new ArrayList<>();
  private final ReaderProgress progress;
  private final Thread thread;
  private final CountDownLatch closing = new CountDownLatch(1);
  private volatile KafkaClients clients;

  /**
   * The times before which no record is left to read. Owned by the thread. A partition that is gone
   * keeps its entry: Kafka never takes partitions away from a topic.
   */
  private final Map<TopicPartition, Instant> readUpTo = new HashMap<>();

  /** When to look again, as {@link System#nanoTime}. Owned by the thread. */
  private long lookAgainAt;

  /**
   * @param name of the thread
   * @param isolation the isolation level of the consumer, as Kafka names it
   * @param onProgress called after every report of progress
   * @param notices receives the few lines that are shown at the console
   */
  public TopicReader(
      String name,
      Connection connection,
      String isolation,
      List<TopicIntake<?>> intakes,
      Runnable onProgress,
      Consumer<String> notices) {
    this.connection = connection;
    this.isolation = isolation;
    for (TopicIntake<?> intake : intakes) {
      topics.add(new FollowedTopic<>(intake, connection));
    }
    this.progress = new ReaderProgress(topics, onProgress, notices);
    this.thread = new Thread(this::run, name);
    thread.setDaemon(true);
  }

  public void start() {
    thread.start();
  }

  /** The latest report; any thread may ask. */
  public ConsumerProgress progress() {
    return progress.latest();
  }

  private void run() {
    while (!isClosing()) {
      try (KafkaClients opened = KafkaClients.open(connection, isolation)) {
        clients = opened;
        look();
        while (!isClosing()) {
          lookAgain();
          take(poll());
          report();
        }
      } catch (WakeupException | InterruptException e) {
        // Only beginClose() interrupts.
      } catch (RuntimeException | Error e) {
        // The offsets in the store lie before all that was not applied: that is read again.
        stuck(said(e), e);
        pause();
      } finally {
        clients = null;
      }
    }
  }

  private ConsumerRecords<byte[], byte[]> poll() {
    if (clients.consumer().assignment().isEmpty()) {
      pause();
      return ConsumerRecords.empty();
    }
    try {
      return clients.consumer().poll(POLL);
    } catch (OffsetOutOfRangeException e) {
      LOG.warn("a topic no longer holds what comes next; reading again what it does hold", e);
      look();
      clients.consumer().seekToBeginning(e.offsetOutOfRangePartitions().keySet());
      return ConsumerRecords.empty();
    }
  }

  /** Topic by topic: events are to be read after the versions that they name. */
  private void take(ConsumerRecords<byte[], byte[]> records) {
    for (FollowedTopic<?> topic : topics) {
      for (ConsumerRecord<byte[], byte[]> record : records.records(topic.name())) {
        if (isClosing()) {
          return;
        }
        apply(topic, record);
        readUpTo.merge(
            new TopicPartition(record.topic(), record.partition()),
            Instant.ofEpochMilli(record.timestamp()),
            TopicReader::later);
      }
    }
    flush();
  }

  /** The last topic first: events are to be known when the versions that they name serve. */
  private void flush() {
    for (int i = topics.size() - 1; i >= 0; i--) {
      topics.get(i).intake().flush();
    }
  }

  private void lookAgain() {
    if (System.nanoTime() - lookAgainAt < 0) {
      return;
    }
    try {
      look();
    } catch (TimeoutException e) {
      // The consumer tries again by itself; it is only reported.
      stuck(e.getMessage(), e);
    }
  }

  /** Describes the topics and assigns all their partitions to the consumer. */
  private void look() {
    String missing = null;
    Set<TopicPartition> partitions = new HashSet<>();
    try {
      for (FollowedTopic<?> topic : topics) {
        try {
          partitions.addAll(look(topic));
        } catch (UnknownTopicOrPartitionException e) {
          missing = topic.name();
        }
      }
      assign(partitions);
      for (FollowedTopic<?> topic : topics) {
        Set<TopicPartition> own = topic.among(partitions);
        if (!topic.knowsEnd() && !own.isEmpty()) {
          topic.setEnd(clients.consumer().endOffsets(own, KafkaClients.ANSWER_TIMEOUT));
        }
      }
    } catch (TimeoutException e) {
      throw new TimeoutException(
          "Kafka at " + connection.bootstrapServers() + " does not answer", e);
    }
    if (missing == null) {
      progress.recovered();
      lookAgainAt = System.nanoTime() + LOOK_INTERVAL.toNanos();
    } else {
      stuck(
          "Kafka at %s has no topic %s: make it with millrace topics"
              .formatted(connection.bootstrapServers(), missing),
          null);
      lookAgainAt = System.nanoTime() + RETRY.toNanos();
    }
  }

  private Set<TopicPartition> look(FollowedTopic<?> topic) {
    KafkaClients.Description found = clients.describe(topic.name());
    if (topic.intake().holdsAnotherThan(found.identity())) {
      leaveTheOther(topic, found.identity());
    }
    topic.intake().begin(found.identity());
    topic.intake().partitions(found.partitions().size());
    return found.partitions();
  }

  private void leaveTheOther(FollowedTopic<?> topic, TopicIdentity found) {
    progress.notice(
        "the local store holds another topic %s than %s: it is emptied of it and filled anew"
            .formatted(topic.name(), found));
    Set<TopicPartition> others = new HashSet<>(clients.consumer().assignment());
    others.removeAll(topic.among(others));
    clients.consumer().assign(others);
    topic.forgetEnd();
  }

  private void assign(Set<TopicPartition> partitions) {
    KafkaConsumer<byte[], byte[]> consumer = clients.consumer();
    Set<TopicPartition> held = Set.copyOf(consumer.assignment());
    if (held.equals(partitions)) {
      return;
    }
    consumer.assign(partitions);
    for (FollowedTopic<?> topic : topics) {
      Set<TopicPartition> added = topic.among(partitions);
      added.removeAll(held);
      if (added.isEmpty()) {
        continue;
      }
      Map<Integer, Long> stored = topic.intake().offsets();
      Set<TopicPartition> fresh = new HashSet<>(added);
      fresh.removeIf(partition -> stored.containsKey(partition.partition()));
      Map<TopicPartition, Long> starts = clients.starts(fresh, topic.intake().start());
      for (TopicPartition partition : added) {
        Long offset = stored.getOrDefault(partition.partition(), starts.get(partition));
        if (offset == null) {
          consumer.seekToBeginning(List.of(partition));
        } else {
          consumer.seek(partition, offset);
        }
        LOG.info(
            "reading {} ({}) from {}",
            partition,
            isolation,
            offset == null ? "its beginning" : offset);
      }
    }
  }

  private <T> void apply(FollowedTopic<T> topic, ConsumerRecord<byte[], byte[]> record) {
    StreamOffset after = new StreamOffset(record.partition(), record.offset() + 1);
    T value = null;
    if (record.value() != null) {
      try {
        value = deserialize(topic, record);
      } catch (SerializationException e) {
        progress.unreadable(
            "%s, partition %d, offset %d: %s"
                .formatted(record.topic(), record.partition(), record.offset(), e.getMessage()));
        topic.intake().unreadable(e.getMessage(), after);
        return;
      }
    }
    topic
        .intake()
        .record(
            record.key(),
            value,
            name -> header(record, name),
            after,
            Instant.ofEpochMilli(record.timestamp()));
  }

  private static String header(ConsumerRecord<byte[], byte[]> record, String name) {
    Header header = record.headers().lastHeader(name);
    return header == null || header.value() == null ? null : new String(header.value(), UTF_8);
  }

  /** Waits for the registry as long as it takes: a record must not be skipped. */
  private <T> T deserialize(FollowedTopic<T> topic, ConsumerRecord<byte[], byte[]> record) {
    boolean waited = false;
    while (true) {
      try {
        T value =
            topic.deserializer().deserialize(record.topic(), record.headers(), record.value());
        if (waited) {
          progress.recovered();
        }
        return value;
      } catch (RegistryUnavailableException e) {
        // The records before it take effect meanwhile.
        flush();
        waited = true;
        stuck(e.getMessage(), e);
        pause();
        if (isClosing()) {
          throw new WakeupException();
        }
      }
    }
  }

  private void report() {
    List<ConsumerProgress.Partition> partitions = new ArrayList<>();
    KafkaConsumer<byte[], byte[]> consumer = clients.consumer();
    try {
      for (FollowedTopic<?> topic : topics) {
        Map<TopicPartition, Long> positions = new HashMap<>();
        for (TopicPartition partition : topic.among(consumer.assignment())) {
          long position = consumer.position(partition, POLL);
          positions.put(partition, position);
          OptionalLong lag = consumer.currentLag(partition);
          Instant now = Instant.now();
          if (lag.isPresent() && lag.getAsLong() == 0) {
            readUpTo.merge(partition, now, TopicReader::later);
          }
          partitions.add(
              new ConsumerProgress.Partition(
                  partition.topic(),
                  partition.partition(),
                  position,
                  lag.isPresent() ? lag.getAsLong() : null,
                  readUpTo.computeIfAbsent(partition, added -> now)));
        }
        topic.readTo(positions);
      }
    } catch (TimeoutException e) {
      return; // A position is still being looked up; the last report remains.
    }
    progress.report(partitions);
  }

  private static Instant later(Instant one, Instant other) {
    return one.isAfter(other) ? one : other;
  }

  private void stuck(String what, Throwable why) {
    if (!isClosing()) {
      progress.stuck(what, why);
    }
  }

  /** Where Kafka does not take the client, where that is and what to look at. */
  private String said(Throwable failure) {
    if (failure instanceof AuthenticationException) {
      return ("Kafka at %s refuses this process: %s; are kafka.security.protocol, kafka.sasl.* and"
              + " kafka.ssl.* right?")
          .formatted(connection.bootstrapServers(), Failures.describe(failure));
    }
    if (failure instanceof AuthorizationException) {
      return "Kafka at %s does not let this user read: %s; docs/deployment.md lists what it needs"
          .formatted(connection.bootstrapServers(), Failures.describe(failure));
    }
    // A client that cannot be made: its own message names no reason.
    return failure.getClass() == KafkaException.class
        ? Failures.describe(failure)
        : failure.getMessage();
  }

  private boolean isClosing() {
    return closing.getCount() == 0;
  }

  private void pause() {
    try {
      closing.await(RETRY.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      closing.countDown();
    }
  }

  /** Asks the thread to stop after the record it is at. */
  public void beginClose() {
    closing.countDown();
    KafkaClients opened = clients;
    if (opened != null) {
      opened.interrupt();
    }
  }

  /**
   * Waits for the thread to stop.
   *
   * @return false where it still reads when the time is up
   */
  public boolean awaitClosed(Duration timeout) {
    try {
      thread.join(Math.max(1, timeout.toMillis()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return !thread.isAlive();
  }
}
