package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.DomainPartition;
import io.millrace.client.process.UsageException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/**
 * A topic that is keyed by domain, or one domain's partition of it, read from its beginning and
 * then on as it grows. It changes nothing there, and belongs to no consumer group. For one thread
 * at a time.
 */
final class TopicTail implements AutoCloseable {
  private static final Duration WAIT = Duration.ofMillis(200);

  /** How long a read may get no further before the end of the topic. */
  private static final Duration STALLED_AFTER = Duration.ofSeconds(15);

  private final String name;
  private final String bootstrapServers;
  private final KafkaConsumer<byte[], byte[]> consumer;
  private final int partitionCount;
  private final List<TopicPartition> partitions;

  /**
   * Connects; nothing is read yet.
   *
   * @param isolation Kafka's isolation level, as {@code isolation.level}
   * @param domain whose partition to read; null for all partitions
   * @throws UsageException where there is no such topic
   * @throws IllegalStateException where Kafka does not answer
   */
  TopicTail(Connection connection, String name, String isolation, String domain) {
    this.name = name;
    this.bootstrapServers = connection.bootstrapServers();
    this.consumer = CommittedTopic.consumer(connection, "earliest", isolation);
    try {
      List<TopicPartition> all =
          consumer.partitionsFor(name).stream()
              .map(partition -> new TopicPartition(name, partition.partition()))
              .toList();
      if (all.isEmpty()) {
        throw new UsageException(
            "there is no topic %s at %s; millrace topics makes what is missing"
                .formatted(name, bootstrapServers));
      }
      partitionCount = all.size();
      partitions =
          domain == null
              ? all
              : List.of(new TopicPartition(name, DomainPartition.of(domain, partitionCount)));
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
    } catch (KafkaException e) {
      consumer.close();
      throw failed(e);
    } catch (RuntimeException e) {
      consumer.close();
      throw e;
    }
  }

  /**
   * Goes on where an earlier reading ended, if that is still the same log.
   *
   * @param next the next offset to read, by partition
   * @return false where it is not, and nothing has changed: a partition is not among them, begins
   *     later than it did, or ends earlier
   */
  boolean resume(Map<Integer, Long> next) {
    try {
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      Map<TopicPartition, Long> beginnings = consumer.beginningOffsets(partitions);
      for (TopicPartition each : partitions) {
        Long offset = next.get(each.partition());
        if (offset == null || beginnings.get(each) > 0 || ends.get(each) < offset) {
          return false;
        }
      }
      partitions.forEach(each -> consumer.seek(each, next.get(each.partition())));
      return true;
    } catch (KafkaException e) {
      throw failed(e);
    }
  }

  /** Begins at the beginning again. */
  void rewind() {
    consumer.seekToBeginning(partitions);
  }

  /** The next offset to read, by partition. */
  Map<Integer, Long> positions() {
    try {
      Map<Integer, Long> positions = new TreeMap<>();
      partitions.forEach(each -> positions.put(each.partition(), consumer.position(each)));
      return positions;
    } catch (KafkaException e) {
      throw failed(e);
    }
  }

  /** Number of partitions of the topic. */
  int partitionCount() {
    return partitionCount;
  }

  /**
   * Reads on to the end that there is now, a partition's records in their order.
   *
   * @throws IllegalStateException where Kafka does not answer
   */
  void readOn(Consumer<ConsumerRecord<byte[], byte[]>> reader) {
    try {
      CommittedTopic.readToEnd(
          consumer,
          partitions,
          STALLED_AFTER,
          record -> {
            reader.accept(record);
            return false;
          });
    } catch (KafkaException e) {
      throw failed(e);
    }
  }

  /**
   * Reads on to the first record that is wanted.
   *
   * @return false where it has not come when the time is up
   * @throws IllegalStateException where Kafka does not answer
   */
  boolean readUntil(Predicate<ConsumerRecord<byte[], byte[]>> wanted, Duration patience) {
    long start = System.nanoTime();
    try {
      boolean found = false;
      while (!found && System.nanoTime() - start < patience.toNanos()) {
        // All records of one fetch are passed on: they are not fetched again.
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(WAIT)) {
          found |= wanted.test(record);
        }
      }
      return found;
    } catch (KafkaException e) {
      throw failed(e);
    }
  }

  private IllegalStateException failed(KafkaException e) {
    return CommittedTopic.failed(name, bootstrapServers, e);
  }

  @Override
  public void close() {
    consumer.close();
  }
}
