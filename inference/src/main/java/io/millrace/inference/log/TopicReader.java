package io.millrace.inference.log;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.RegistryUnavailableException;
import io.millrace.inference.store.StreamOffset;
import io.millrace.inference.store.TopicIdentity;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.Deserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads every partition of some topics in order, from where the local store stands, on a thread of
 * its own.
 *
 * <p>There is no consumer group: every serving process reads everything, and its place in a topic
 * stands in its own store, beside what was read. Whatever fails outside (Kafka, registry, disk) is
 * tried again until it works; meanwhile what is loaded serves on. A topic that is missing does not
 * keep the others from being read.
 */
public final class TopicReader {
  private static final Logger LOG = LoggerFactory.getLogger(TopicReader.class);
  private static final Duration POLL = Duration.ofMillis(250);
  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(5);
  private static final Duration RETRY = Duration.ofSeconds(1);

  /** How often to look for new partitions, and for a topic having been made anew. */
  private static final Duration LOOK_AGAIN = Duration.ofSeconds(5);

  /** A topic that is read. */
  private static final class Followed<T> {
    final TopicIntake<T> intake;
    final Deserializer<T> deserializer;
    Map<TopicPartition, Long> endAtStart;
    boolean reachedEnd;

    Followed(TopicIntake<T> intake, Connection connection) {
      this.intake = intake;
      this.deserializer = connection.deserializer(intake.type());
    }
  }

  private final Connection connection;
  private final String isolation;
  private final List<Followed<?>> topics = new ArrayList<>();
  private final Runnable onProgress;
  private final Consumer<String> notices;
  private final Thread thread;
  private final CountDownLatch closing = new CountDownLatch(1);
  private volatile KafkaClients clients;
  private volatile ConsumerProgress progress;

  // Owned by the thread.
  private long lookAgainAt;
  private String problem;
  private long unreadable;
  private String lastUnreadable;

  /**
   * @param name the thread's
   * @param isolation the consumer's isolation level
   * @param onProgress called after every step
   * @param notices takes the few lines a person at the console should see
   */
  TopicReader(
      String name,
      Connection connection,
      String isolation,
      List<TopicIntake<?>> intakes,
      Runnable onProgress,
      Consumer<String> notices) {
    this.connection = connection;
    this.isolation = isolation;
    for (TopicIntake<?> intake : intakes) {
      topics.add(new Followed<>(intake, connection));
    }
    this.onProgress = onProgress;
    this.notices = notices;
    this.progress = new ConsumerProgress(unread(), null, List.of(), 0, null);
    this.thread = new Thread(this::run, name);
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  /** How far it is; any thread may ask. */
  ConsumerProgress progress() {
    return progress;
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
        // Only beginClose() does that.
      } catch (RuntimeException | Error e) {
        // The store's offsets stand before whatever was not applied: it is read again.
        stuck(e.getMessage(), e);
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

  /** Topic by topic: what one says of another's records is best read after them. */
  private void take(ConsumerRecords<byte[], byte[]> records) {
    for (Followed<?> topic : topics) {
      for (ConsumerRecord<byte[], byte[]> record : records.records(topic.intake.topic())) {
        if (isClosing()) {
          return;
        }
        apply(topic, record);
      }
    }
    flush();
  }

  /** The last topic first: what it says of the others' records is to be known when they count. */
  private void flush() {
    for (int i = topics.size() - 1; i >= 0; i--) {
      topics.get(i).intake.flush();
    }
  }

  private void lookAgain() {
    if (System.nanoTime() - lookAgainAt < 0) {
      return;
    }
    try {
      look();
    } catch (TimeoutException e) {
      // The consumer goes on trying by itself; it is only said.
      stuck(e.getMessage(), e);
    }
  }

  /** Finds out which topics these are and what partitions they have, and takes them all. */
  private void look() {
    String missing = null;
    Set<TopicPartition> partitions = new HashSet<>();
    try {
      for (Followed<?> topic : topics) {
        try {
          partitions.addAll(look(topic));
        } catch (UnknownTopicOrPartitionException e) {
          missing = topic.intake.topic();
        }
      }
      assign(partitions);
      for (Followed<?> topic : topics) {
        if (topic.endAtStart == null) {
          Set<TopicPartition> own = of(topic, partitions);
          topic.endAtStart =
              own.isEmpty() ? null : clients.consumer().endOffsets(own, ANSWER_TIMEOUT);
        }
      }
    } catch (TimeoutException e) {
      throw new TimeoutException(
          "Kafka at " + connection.bootstrapServers() + " does not answer", e);
    }
    if (missing == null) {
      problem = null;
      lookAgainAt = System.nanoTime() + LOOK_AGAIN.toNanos();
    } else {
      stuck(
          "Kafka at %s has no topic %s: make it with millrace topics"
              .formatted(connection.bootstrapServers(), missing),
          null);
      lookAgainAt = System.nanoTime() + RETRY.toNanos();
    }
  }

  private Set<TopicPartition> look(Followed<?> followed) {
    String name = followed.intake.topic();
    TopicDescription topic =
        answer(clients.admin().describeTopics(List.of(name)).topicNameValues().get(name));
    TopicIdentity identity =
        new TopicIdentity(
            answer(clients.admin().describeCluster().clusterId()), topic.topicId().toString());
    if (followed.intake.holdsAnotherThan(identity)) {
      leaveTheOther(followed, identity);
    }
    followed.intake.begin(identity);
    followed.intake.partitions(topic.partitions().size());
    return topic.partitions().stream()
        .map(partition -> new TopicPartition(name, partition.partition()))
        .collect(Collectors.toSet());
  }

  private void leaveTheOther(Followed<?> followed, TopicIdentity topic) {
    String notice =
        "the local store holds another topic %s than %s: it is emptied of it and filled anew"
            .formatted(followed.intake.topic(), topic);
    LOG.warn(notice);
    notices.accept(notice);
    Set<TopicPartition> others = new HashSet<>(clients.consumer().assignment());
    others.removeAll(of(followed, others));
    clients.consumer().assign(others);
    followed.endAtStart = null;
    followed.reachedEnd = false;
  }

  private static Set<TopicPartition> of(Followed<?> topic, Collection<TopicPartition> partitions) {
    return partitions.stream()
        .filter(partition -> partition.topic().equals(topic.intake.topic()))
        .collect(Collectors.toSet());
  }

  private void assign(Set<TopicPartition> partitions) {
    KafkaConsumer<byte[], byte[]> consumer = clients.consumer();
    Set<TopicPartition> held = Set.copyOf(consumer.assignment());
    if (held.equals(partitions)) {
      return;
    }
    consumer.assign(partitions);
    for (Followed<?> topic : topics) {
      Set<TopicPartition> added = of(topic, partitions);
      added.removeAll(held);
      if (added.isEmpty()) {
        continue;
      }
      Map<Integer, Long> stored = topic.intake.offsets();
      for (TopicPartition partition : added) {
        Long offset = stored.get(partition.partition());
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

  private static <T> T answer(KafkaFuture<T> future) {
    try {
      return future.get(ANSWER_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof KafkaException cause) {
        throw cause;
      }
      throw new KafkaException(e.getCause());
    } catch (java.util.concurrent.TimeoutException e) {
      throw new TimeoutException(e.getMessage(), e);
    } catch (InterruptedException e) {
      throw new InterruptException(e);
    }
  }

  private <T> void apply(Followed<T> topic, ConsumerRecord<byte[], byte[]> record) {
    StreamOffset after = new StreamOffset(record.partition(), record.offset() + 1);
    T value = null;
    if (record.value() != null) {
      try {
        value = deserialize(topic, record);
      } catch (SerializationException e) {
        unreadable++;
        lastUnreadable =
            "%s, partition %d, offset %d: %s"
                .formatted(record.topic(), record.partition(), record.offset(), e.getMessage());
        topic.intake.unreadable(e.getMessage(), after);
        return;
      }
    }
    topic.intake.record(record.key(), value, after, Instant.ofEpochMilli(record.timestamp()));
  }

  /** Waits for the registry as long as it takes: skipping a record would be worse than waiting. */
  private <T> T deserialize(Followed<T> topic, ConsumerRecord<byte[], byte[]> record) {
    boolean waited = false;
    while (true) {
      try {
        T value = topic.deserializer.deserialize(record.topic(), record.headers(), record.value());
        if (waited) {
          problem = null;
        }
        return value;
      } catch (RegistryUnavailableException e) {
        // What came before it need not wait.
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
      for (Followed<?> topic : topics) {
        boolean reached = topic.endAtStart != null;
        for (TopicPartition partition : of(topic, consumer.assignment())) {
          long position = consumer.position(partition, POLL);
          OptionalLong lag = consumer.currentLag(partition);
          partitions.add(
              new ConsumerProgress.Partition(
                  partition.topic(),
                  partition.partition(),
                  position,
                  lag.isPresent() ? lag.getAsLong() : null));
          reached &= reached && position >= topic.endAtStart.getOrDefault(partition, 0L);
        }
        topic.reachedEnd |= reached;
      }
    } catch (TimeoutException e) {
      return; // A position is still being looked up; the last report stands.
    }
    report(partitions);
  }

  private void report(List<ConsumerProgress.Partition> partitions) {
    progress = new ConsumerProgress(unread(), problem, partitions, unreadable, lastUnreadable);
    onProgress.run();
  }

  private List<String> unread() {
    return topics.stream()
        .filter(topic -> !topic.reachedEnd)
        .map(topic -> topic.intake.topic())
        .toList();
  }

  private void stuck(String what, Throwable why) {
    String said = what == null ? why.toString() : what;
    if (Objects.equals(said, problem) || isClosing()) {
      return;
    }
    problem = said;
    LOG.warn("{}; trying again until it works", problem, why);
    report(progress.partitions());
    if (!unread().isEmpty()) {
      notices.accept(problem + "; trying again until it works");
    }
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

  /** Stops reading after the record at hand, soon. */
  void beginClose() {
    closing.countDown();
    KafkaClients opened = clients;
    if (opened != null) {
      opened.interrupt();
    }
  }

  /**
   * @return false where it still reads when the time is up
   */
  boolean awaitClosed(Duration timeout) {
    try {
      thread.join(Math.max(1, timeout.toMillis()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return !thread.isAlive();
  }
}
