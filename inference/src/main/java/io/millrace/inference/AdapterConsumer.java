package io.millrace.inference;

import io.millrace.client.Connection;
import io.millrace.client.RegistryUnavailableException;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
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
 * Reads every partition of {@code adapters} in order, from where the local store stands, on a
 * thread of its own.
 *
 * <p>There is no consumer group: every serving process reads everything, and its place in the topic
 * stands in its own store, beside what was read. Whatever fails outside (Kafka, registry, disk) is
 * tried again until it works; meanwhile what is loaded serves on.
 */
final class AdapterConsumer {
  private static final Logger LOG = LoggerFactory.getLogger(AdapterConsumer.class);
  private static final Duration POLL = Duration.ofMillis(250);
  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(5);
  private static final Duration RETRY = Duration.ofSeconds(1);

  /** How often to look for new partitions, and for the topic having been made anew. */
  private static final Duration LOOK_AGAIN = Duration.ofSeconds(5);

  private final Connection connection;
  private final AdapterIntake intake;
  private final Consumer<String> notices;
  private final Deserializer<AdapterVersion> deserializer;
  private final Thread thread = new Thread(this::run, "adapter-consumer");
  private final CountDownLatch closing = new CountDownLatch(1);
  private final CompletableFuture<Void> caughtUp = new CompletableFuture<>();
  private volatile KafkaClients clients;
  private volatile ConsumerProgress progress = ConsumerProgress.NOT_STARTED;

  // Owned by the thread.
  private Map<TopicPartition, Long> endAtStart;
  private long lookAgainAt;
  private boolean reachedEnd;
  private String problem;
  private long unreadable;
  private String lastUnreadable;

  /**
   * @param notices takes the few lines a person at the console should see
   */
  AdapterConsumer(Connection connection, AdapterIntake intake, Consumer<String> notices) {
    this.connection = connection;
    this.intake = intake;
    this.notices = notices;
    this.deserializer = connection.deserializer(AdapterVersion.class);
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  /** How far it is; any thread may ask. */
  ConsumerProgress progress() {
    return progress;
  }

  /** Completes when the end that the topic had at the start is reached. */
  CompletableFuture<Void> caughtUp() {
    return caughtUp;
  }

  private void run() {
    while (!isClosing()) {
      try (KafkaClients opened = KafkaClients.open(connection)) {
        clients = opened;
        look();
        while (!isClosing()) {
          lookAgain();
          for (ConsumerRecord<byte[], byte[]> record : poll()) {
            if (isClosing()) {
              return;
            }
            apply(record);
          }
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
    try {
      return clients.consumer().poll(POLL);
    } catch (OffsetOutOfRangeException e) {
      LOG.warn("the topic no longer holds what comes next; reading again what it does hold", e);
      look();
      clients.consumer().seekToBeginning(e.offsetOutOfRangePartitions().keySet());
      return ConsumerRecords.empty();
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

  /** Finds out which topic this is and what partitions it has, and takes them all. */
  private void look() {
    try {
      TopicDescription topic =
          answer(
              clients
                  .admin()
                  .describeTopics(List.of(Topics.ADAPTERS))
                  .topicNameValues()
                  .get(Topics.ADAPTERS));
      TopicIdentity identity =
          new TopicIdentity(
              answer(clients.admin().describeCluster().clusterId()), topic.topicId().toString());
      if (intake.holdsAnotherThan(identity)) {
        leaveTheOther(identity);
      }
      intake.begin(identity);
      Set<TopicPartition> partitions =
          topic.partitions().stream()
              .map(partition -> new TopicPartition(Topics.ADAPTERS, partition.partition()))
              .collect(Collectors.toSet());
      take(partitions);
      if (endAtStart == null) {
        endAtStart = clients.consumer().endOffsets(partitions, ANSWER_TIMEOUT);
      }
    } catch (UnknownTopicOrPartitionException e) {
      throw new UnknownTopicOrPartitionException(
          "Kafka at " + connection.bootstrapServers() + " has no topic " + Topics.ADAPTERS, e);
    } catch (TimeoutException e) {
      throw new TimeoutException(
          "Kafka at " + connection.bootstrapServers() + " does not answer", e);
    }
    problem = null;
    lookAgainAt = System.nanoTime() + LOOK_AGAIN.toNanos();
  }

  private void leaveTheOther(TopicIdentity topic) {
    String notice =
        "the local store holds another topic than " + topic + ": it is emptied and filled anew";
    LOG.warn(notice);
    notices.accept(notice);
    clients.consumer().unsubscribe();
    endAtStart = null;
    reachedEnd = false;
  }

  private void take(Set<TopicPartition> partitions) {
    KafkaConsumer<byte[], byte[]> consumer = clients.consumer();
    Set<TopicPartition> held = consumer.assignment();
    if (held.equals(partitions)) {
      return;
    }
    List<TopicPartition> added = partitions.stream().filter(p -> !held.contains(p)).toList();
    Map<Integer, Long> stored = intake.offsets();
    consumer.assign(partitions);
    for (TopicPartition partition : added) {
      Long offset = stored.get(partition.partition());
      if (offset == null) {
        consumer.seekToBeginning(List.of(partition));
      } else {
        consumer.seek(partition, offset);
      }
      LOG.info("reading {} from {}", partition, offset == null ? "its beginning" : offset);
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

  private void apply(ConsumerRecord<byte[], byte[]> record) {
    StreamOffset after = new StreamOffset(record.partition(), record.offset() + 1);
    if (record.value() == null) {
      intake.tombstone(record.key(), after);
      return;
    }
    AdapterVersion version;
    try {
      version = deserialize(record);
    } catch (SerializationException e) {
      unreadable++;
      lastUnreadable =
          "partition " + record.partition() + ", offset " + record.offset() + ": " + e.getMessage();
      intake.unreadable(e.getMessage(), after);
      return;
    }
    intake.version(record.key(), version, after);
  }

  /** Waits for the registry as long as it takes: skipping a version would be worse than waiting. */
  private AdapterVersion deserialize(ConsumerRecord<byte[], byte[]> record) {
    while (true) {
      try {
        AdapterVersion version =
            deserializer.deserialize(Topics.ADAPTERS, record.headers(), record.value());
        problem = null;
        return version;
      } catch (RegistryUnavailableException e) {
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
    boolean reached = true;
    KafkaConsumer<byte[], byte[]> consumer = clients.consumer();
    try {
      for (TopicPartition partition : consumer.assignment()) {
        long position = consumer.position(partition, POLL);
        OptionalLong lag = consumer.currentLag(partition);
        partitions.add(
            new ConsumerProgress.Partition(
                partition.partition(), position, lag.isPresent() ? lag.getAsLong() : null));
        reached &= position >= endAtStart.getOrDefault(partition, 0L);
      }
    } catch (TimeoutException e) {
      return; // A position is still being looked up; the last report stands.
    }
    reachedEnd |= reached;
    partitions.sort(Comparator.comparingInt(ConsumerProgress.Partition::partition));
    progress = new ConsumerProgress(reachedEnd, problem, partitions, unreadable, lastUnreadable);
    if (reachedEnd) {
      caughtUp.complete(null);
    }
  }

  private void stuck(String what, Throwable why) {
    String said = what == null ? why.toString() : what;
    if (said.equals(problem) || isClosing()) {
      return;
    }
    problem = said;
    LOG.warn("{}; trying again until it works", problem, why);
    progress =
        new ConsumerProgress(
            reachedEnd, problem, progress.partitions(), unreadable, lastUnreadable);
    if (!reachedEnd) {
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
