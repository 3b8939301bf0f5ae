package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.TopicPartition;

/**
 * Records of a topic by their offsets, for a reader that asks for each partition's in ascending
 * order, with gaps. It reads each partition on demand, holds a bounded number of records, and seeks
 * over long gaps. For one thread.
 */
public final class RecordsByOffset implements AutoCloseable {
  /** Records held of a partition before it is read no further. */
  private static final int HELD = 1000;

  /** Reading this many unwanted records costs about as much as a seek. */
  private static final long LEAP = 5000;

  private static final Duration WAIT = Duration.ofMillis(200);

  private final KafkaConsumer<byte[], byte[]> consumer;
  private final Map<TopicPartition, Deque<ConsumerRecord<byte[], byte[]>>> held = new HashMap<>();
  private final String topic;
  private final Map<Integer, Long> beginnings;
  private final Map<Integer, Long> ends;

  /**
   * Connects.
   *
   * @throws UsageException where there is no such topic
   */
  public RecordsByOffset(Connection connection, String topic) {
    this.topic = topic;
    this.consumer = CommittedTopic.consumer(connection, "none");
    try {
      List<TopicPartition> partitions =
          consumer.partitionsFor(topic).stream()
              .map(partition -> new TopicPartition(topic, partition.partition()))
              .toList();
      if (partitions.isEmpty()) {
        throw new UsageException(
            "there is no topic %s at %s".formatted(topic, connection.bootstrapServers()));
      }
      beginnings = byPartition(consumer.beginningOffsets(partitions));
      ends = byPartition(consumer.endOffsets(partitions));
    } catch (RuntimeException e) {
      consumer.close();
      throw e;
    }
  }

  private static Map<Integer, Long> byPartition(Map<TopicPartition, Long> offsets) {
    return offsets.entrySet().stream()
        .collect(Collectors.toMap(each -> each.getKey().partition(), Map.Entry::getValue));
  }

  /** Name of the topic. */
  public String topic() {
    return topic;
  }

  /**
   * The first offset that a partition still held when this was opened; of a partition that there is
   * not, that of its end.
   */
  public long beginning(int partition) {
    return beginnings.getOrDefault(partition, 0L);
  }

  /** The offset behind a partition's last record; 0 where there is no such partition. */
  public long end(int partition) {
    return ends.getOrDefault(partition, 0L);
  }

  /** The record at that place; empty where the topic does not hold it. */
  public Optional<ConsumerRecord<byte[], byte[]>> at(int partition, long offset) {
    if (offset < beginning(partition) || offset >= end(partition)) {
      return Optional.empty();
    }
    TopicPartition place = new TopicPartition(topic, partition);
    Deque<ConsumerRecord<byte[], byte[]>> records = held.get(place);
    if (records == null) {
      records = new ArrayDeque<>();
      held.put(place, records);
      consumer.assign(held.keySet());
      consumer.seek(place, offset);
    }
    while (!records.isEmpty() && records.peek().offset() < offset) {
      records.poll();
    }
    if (!records.isEmpty() && records.peek().offset() > offset) {
      // Already read past it, or not in the topic: a second read decides.
      records.clear();
      consumer.seek(place, offset);
    } else if (records.isEmpty()) {
      long position = consumer.position(place);
      if (position > offset || position + LEAP < offset) {
        consumer.seek(place, offset);
      }
    }
    try {
      while (records.isEmpty() && consumer.position(place) <= offset) {
        fetch();
        while (!records.isEmpty() && records.peek().offset() < offset) {
          records.poll();
        }
      }
    } catch (OffsetOutOfRangeException e) {
      return Optional.empty();
    }
    return Optional.ofNullable(records.peek()).filter(record -> record.offset() == offset);
  }

  private void fetch() {
    held.forEach(
        (partition, records) -> {
          if (records.size() >= HELD) {
            consumer.pause(List.of(partition));
          } else {
            consumer.resume(List.of(partition));
          }
        });
    for (ConsumerRecord<byte[], byte[]> record : consumer.poll(WAIT)) {
      held.get(new TopicPartition(record.topic(), record.partition())).add(record);
    }
  }

  @Override
  public void close() {
    consumer.close();
  }
}
