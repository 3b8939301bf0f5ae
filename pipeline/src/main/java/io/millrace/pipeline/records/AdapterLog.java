package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.client.process.UsageException;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.schemas.VersionRef;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the topic {@code adapters}: committed records only. Everything outside serving that wants
 * published versions reads them here. It changes nothing in the topic. For one thread.
 *
 * @param <T> what is read of a version
 */
public final class AdapterLog<T> implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(AdapterLog.class);

  private final CommittedTopic topic;
  private final Deserializer<T> reader;

  private AdapterLog(CommittedTopic topic, Deserializer<T> reader) {
    this.topic = topic;
    this.reader = reader;
  }

  /**
   * Connects, to read whole records.
   *
   * @throws UsageException where there is no such topic
   * @throws IllegalStateException where Kafka does not answer
   */
  public static AdapterLog<AdapterVersion> open(Connection connection) {
    return open(connection, connection.deserializer(AdapterVersion.class));
  }

  /**
   * As {@link #open(Connection)}, with a deserializer of the caller, which keeps the schemas that
   * it has asked the registry for.
   */
  public static AdapterLog<AdapterVersion> open(
      Connection connection, Deserializer<AdapterVersion> reader) {
    return new AdapterLog<>(new CommittedTopic(connection, Topics.ADAPTERS), reader);
  }

  /**
   * Connects, to read numbers and hashes of all domains. Payloads are skipped.
   *
   * @throws UsageException where there is no such topic
   * @throws IllegalStateException where Kafka does not answer
   */
  public static AdapterLog<VersionRef> openRefs(Connection connection) {
    return openRefs(connection, null);
  }

  /**
   * Connects, to read numbers and hashes. Payloads are skipped.
   *
   * @param domain whose partition to read; null for all partitions
   * @throws UsageException where there is no such topic
   * @throws IllegalStateException where Kafka does not answer
   */
  static AdapterLog<VersionRef> openRefs(Connection connection, String domain) {
    Deserializer<VersionRef> reader = connection.versionRefDeserializer();
    CommittedTopic topic =
        new CommittedTopic(
            connection, Topics.ADAPTERS, domain, "; millrace topics makes what is missing");
    return new AdapterLog<>(topic, reader);
  }

  /** Every record that is committed now, in the order of its partition, and so of its domain. */
  public void forEach(Consumer<LoggedVersion<T>> reader) {
    topic.forEach(record -> reader.accept(read(record)));
  }

  /**
   * The record at a place that {@link #forEach} gave.
   *
   * @throws IllegalStateException where it has been compacted away since
   */
  public LoggedVersion<T> at(int partition, long offset) {
    return find(partition, offset)
        .orElseThrow(
            () ->
                new IllegalStateException(
                    "the record at offset %d of adapters-%d is gone; try again"
                        .formatted(offset, partition)));
  }

  /** As {@link #at}; empty where the record has been compacted away, or deleted. */
  public Optional<LoggedVersion<T>> find(int partition, long offset) {
    return topic.at(partition, offset).map(this::read);
  }

  private LoggedVersion<T> read(ConsumerRecord<byte[], byte[]> record) {
    String domain = "";
    long version = 0;
    if (record.key() != null) {
      try {
        version = Topics.versionOfAdapterKey(record.key());
        domain = Topics.domainOfAdapterKey(record.key());
      } catch (IllegalArgumentException e) {
        // The caller sees the empty domain, and says so where it matters.
        LOG.debug("A key of the topic {} is no domain@version", Topics.ADAPTERS, e);
      }
    }
    return new LoggedVersion<>(
        record.partition(), record.offset(), domain, version, content(record.value()));
  }

  private LoggedVersion.Content<T> content(byte[] value) {
    if (value == null) {
      return new LoggedVersion.Pruned<>();
    }
    try {
      return new LoggedVersion.Published<>(reader.deserialize(Topics.ADAPTERS, value));
    } catch (UnreadableRecordException e) {
      return new LoggedVersion.Unreadable<>(e.getMessage());
    }
  }

  @Override
  public void close() {
    topic.close();
  }
}
