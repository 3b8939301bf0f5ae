package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.DomainPartition;
import io.millrace.client.process.UsageException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads the committed records of a topic in order. It changes nothing in the topic and joins no
 * consumer group. For one thread.
 */
public final class CommittedTopic implements AutoCloseable {
  /** Kafka's default of one minute is too long for a user who waits at a terminal. */
  private static final String PATIENCE_MILLIS = "15000";

  /**
   * At the end of the topic a fetch waits for more records, half a second by Kafka's default. Other
   * requests on the same connection, also the one that closes it, wait for that fetch.
   */
  private static final String FETCH_MAX_WAIT_MILLIS = "10";

  private static final Duration WAIT = Duration.ofMillis(200);

  private static final Duration NO_LIMIT = ChronoUnit.FOREVER.getDuration();

  private final String name;
  private final String bootstrapServers;
  private final KafkaConsumer<byte[], byte[]> consumer;
  private final int partitionCount;
  private final List<TopicPartition> partitions;

  /**
   * Connects.
   *
   * @throws UsageException where there is no such topic
   * @throws IllegalStateException where Kafka does not answer
   */
  public CommittedTopic(Connection connection, String name) {
    this(connection, name, null, "");
  }

  /**
   * Connects, to read the partition of one domain; for a topic that is partitioned by domain.
   *
   * @param domain null for all partitions
   * @param advice what the message adds where there is no such topic
   * @throws UsageException where there is no such topic
   * @throws IllegalStateException where Kafka does not answer
   */
  CommittedTopic(Connection connection, String name, String domain, String advice) {
    this.name = name;
    this.bootstrapServers = connection.bootstrapServers();
    this.consumer = consumer(connection, "earliest");
    try {
      List<TopicPartition> all =
          consumer.partitionsFor(name).stream()
              .map(partition -> new TopicPartition(name, partition.partition()))
              .toList();
      if (all.isEmpty()) {
        throw new UsageException(
            "there is no topic %s at %s%s".formatted(name, bootstrapServers, advice));
      }
      partitionCount = all.size();
      partitions =
          domain == null
              ? all
              : List.of(new TopicPartition(name, DomainPartition.of(domain, partitionCount)));
    } catch (KafkaException e) {
      consumer.close();
      throw failed(e);
    } catch (RuntimeException e) {
      consumer.close();
      throw e;
    }
  }

  /**
   * A consumer of committed records that belongs to no group.
   *
   * @param reset Kafka's {@code auto.offset.reset}
   */
  static KafkaConsumer<byte[], byte[]> consumer(Connection connection, String reset) {
    return consumer(connection, reset, "read_committed");
  }

  /** The same at any of Kafka's isolation levels. */
  static KafkaConsumer<byte[], byte[]> consumer(
      Connection connection, String reset, String isolation) {
    Properties properties = new Properties();
    properties.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, PATIENCE_MILLIS);
    properties.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, FETCH_MAX_WAIT_MILLIS);
    properties.putAll(connection.properties());
    properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, isolation);
    properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
    properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, reset);
    properties.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, "false");
    return new KafkaConsumer<>(
        properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private IllegalStateException failed(KafkaException e) {
    return failed(name, bootstrapServers, e);
  }

  /** The exception of a reader when Kafka does not answer. */
  static IllegalStateException failed(String topic, String bootstrapServers, KafkaException e) {
    return new IllegalStateException(
        "cannot read the topic %s at %s; --data DIR reads that of an earlier train, demo or up"
            .formatted(topic, bootstrapServers),
        e);
  }

  /** Passes on every record that is committed now, in offset order within a partition. */
  public void forEach(Consumer<ConsumerRecord<byte[], byte[]>> reader) {
    anyMatch(
        record -> {
          reader.accept(record);
          return false;
        });
  }

  /** Whether any record that is committed now matches; reads no further than the first match. */
  public boolean anyMatch(Predicate<ConsumerRecord<byte[], byte[]>> wanted) {
    try {
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      return readToEnd(consumer, partitions, NO_LIMIT, wanted);
    } catch (KafkaException e) {
      throw failed(e);
    }
  }

  /**
   * As {@link #anyMatch}, among the records whose time in Kafka is not before {@code time}; reads
   * none that lie before the first of them.
   */
  public boolean anyMatchSince(Instant time, Predicate<ConsumerRecord<byte[], byte[]>> wanted) {
    long millis = time.toEpochMilli();
    try {
      consumer.assign(partitions);
      Map<TopicPartition, Long> times = new HashMap<>();
      partitions.forEach(partition -> times.put(partition, millis));
      consumer.seekToEnd(partitions);
      consumer
          .offsetsForTimes(times)
          .forEach(
              (partition, first) -> {
                if (first != null) {
                  consumer.seek(partition, first.offset());
                }
              });
      return readToEnd(
          consumer,
          partitions,
          NO_LIMIT,
          record -> record.timestamp() >= millis && wanted.test(record));
    } catch (KafkaException e) {
      throw failed(e);
    }
  }

  /**
   * Reads on to the end offsets of this moment, in offset order within a partition.
   *
   * @param patience how long a read may get no further before the end
   * @param wanted called for each record; true ends the reading
   * @return whether a record ended it
   * @throws TimeoutException if the reading gets no further for too long
   */
  static boolean readToEnd(
      KafkaConsumer<byte[], byte[]> consumer,
      List<TopicPartition> partitions,
      Duration patience,
      Predicate<ConsumerRecord<byte[], byte[]>> wanted) {
    Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
    Set<TopicPartition> open = new HashSet<>(partitions);
    long reached = -1;
    long reachedAt = System.nanoTime();
    while (true) {
      open.removeIf(partition -> consumer.position(partition) >= ends.get(partition));
      if (open.isEmpty()) {
        return false;
      }
      // A poll may return no record and still advance past an aborted transaction.
      long now = partitions.stream().mapToLong(consumer::position).sum();
      if (now > reached) {
        reached = now;
        reachedAt = System.nanoTime();
      } else if (Duration.ofNanos(System.nanoTime() - reachedAt).compareTo(patience) > 0) {
        throw new TimeoutException("nothing came for " + patience.toSeconds() + " s");
      }
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(WAIT)) {
        if (wanted.test(record)) {
          return true;
        }
      }
    }
  }

  /** The record at an offset that {@link #forEach} gave; empty if it was deleted since. */
  public Optional<ConsumerRecord<byte[], byte[]>> at(int partition, long offset) {
    try {
      TopicPartition only = new TopicPartition(name, partition);
      consumer.assign(List.of(only));
      if (offset < consumer.beginningOffsets(List.of(only)).get(only)
          || offset >= consumer.endOffsets(List.of(only)).get(only)) {
        return Optional.empty();
      }
      consumer.seek(only, offset);
      while (consumer.position(only) <= offset) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(WAIT)) {
          if (record.offset() == offset) {
            return Optional.of(record);
          }
        }
      }
      return Optional.empty();
    } catch (KafkaException e) {
      throw failed(e);
    }
  }

  @Override
  public void close() {
    consumer.close();
  }
}
