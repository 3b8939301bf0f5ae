package io.millrace.pipeline.adapters;

import io.millrace.client.Connection;
import io.millrace.client.UnreadableRecordException;
import io.millrace.client.UsageException;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The topic {@code adapters}, read from its beginning, committed records only. It changes nothing
 * there. For one thread.
 */
public final class AdapterLog implements AutoCloseable {
  /** Kafka's own patience of a minute is long for somebody who waits at a terminal. */
  private static final String PATIENCE_MILLIS = "15000";

  private static final Logger LOG = LoggerFactory.getLogger(AdapterLog.class);
  private static final Duration WAIT = Duration.ofMillis(200);

  private final Connection connection;
  private final KafkaConsumer<byte[], byte[]> consumer;
  private final Deserializer<AdapterVersion> reader;
  private final List<TopicPartition> partitions;

  /**
   * Connects.
   *
   * @throws UsageException where there is no such topic
   * @throws IllegalStateException where Kafka does not answer
   */
  public AdapterLog(Connection connection) {
    this.connection = connection;
    this.reader = connection.deserializer(AdapterVersion.class);
    Properties properties = new Properties();
    properties.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, PATIENCE_MILLIS);
    properties.putAll(connection.properties());
    properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
    properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
    properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    properties.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, "false");
    consumer =
        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    try {
      partitions =
          consumer.partitionsFor(Topics.ADAPTERS).stream()
              .map(partition -> new TopicPartition(Topics.ADAPTERS, partition.partition()))
              .toList();
      if (partitions.isEmpty()) {
        throw new UsageException(
            "there is no topic %s at %s".formatted(Topics.ADAPTERS, connection.bootstrapServers()));
      }
    } catch (KafkaException e) {
      consumer.close();
      throw failed(e);
    } catch (RuntimeException e) {
      consumer.close();
      throw e;
    }
  }

  private IllegalStateException failed(KafkaException e) {
    return new IllegalStateException(
        "cannot read the topic %s at %s; --data DIR reads that of an earlier train, demo or up"
            .formatted(Topics.ADAPTERS, connection.bootstrapServers()),
        e);
  }

  /** Every record that is committed now: a partition's in their order, and so a domain's. */
  public void forEach(Consumer<LoggedVersion> reader) {
    try {
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      Set<TopicPartition> open = new HashSet<>(partitions);
      while (true) {
        open.removeIf(partition -> consumer.position(partition) >= ends.get(partition));
        if (open.isEmpty()) {
          return;
        }
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(WAIT)) {
          reader.accept(read(record));
        }
      }
    } catch (KafkaException e) {
      throw failed(e);
    }
  }

  /**
   * The record at a place that {@link #forEach} gave.
   *
   * @throws IllegalStateException where it has been compacted away since
   */
  public LoggedVersion at(int partition, long offset) {
    try {
      TopicPartition only = new TopicPartition(Topics.ADAPTERS, partition);
      consumer.assign(List.of(only));
      consumer.seek(only, offset);
      while (consumer.position(only) <= offset) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(WAIT)) {
          if (record.offset() == offset) {
            return read(record);
          }
        }
      }
    } catch (KafkaException e) {
      throw failed(e);
    }
    throw new IllegalStateException(
        "the record at offset %d of adapters-%d is gone; try again".formatted(offset, partition));
  }

  private LoggedVersion read(ConsumerRecord<byte[], byte[]> record) {
    String domain = "";
    long version = 0;
    if (record.key() != null) {
      try {
        version = Topics.versionOfAdapterKey(record.key());
        domain = Topics.domainOfAdapterKey(record.key());
      } catch (IllegalArgumentException e) {
        // None of ours: whoever reads the record says so.
        LOG.debug("A key of the topic {} is no domain@version", Topics.ADAPTERS, e);
      }
    }
    return new LoggedVersion(
        record.partition(), record.offset(), domain, version, content(record.value()));
  }

  private LoggedVersion.Content content(byte[] value) {
    if (value == null) {
      return new LoggedVersion.Pruned();
    }
    try {
      return new LoggedVersion.Published(reader.deserialize(Topics.ADAPTERS, value));
    } catch (UnreadableRecordException e) {
      return new LoggedVersion.Unreadable(e.getMessage());
    }
  }

  @Override
  public void close() {
    consumer.close();
  }
}
