package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.client.process.UsageException;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The topic {@code adapters}, read from its beginning, committed records only. It changes nothing
 * there. For one thread.
 */
public final class AdapterLog implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(AdapterLog.class);

  private final CommittedTopic topic;
  private final Deserializer<AdapterVersion> reader;

  /**
   * Connects.
   *
   * @throws UsageException where there is no such topic
   * @throws IllegalStateException where Kafka does not answer
   */
  public AdapterLog(Connection connection) {
    this.reader = connection.deserializer(AdapterVersion.class);
    this.topic = new CommittedTopic(connection, Topics.ADAPTERS);
  }

  /** Every record that is committed now: a partition's in their order, and so a domain's. */
  public void forEach(Consumer<LoggedVersion> reader) {
    topic.forEach(record -> reader.accept(read(record)));
  }

  /**
   * The record at a place that {@link #forEach} gave.
   *
   * @throws IllegalStateException where it has been compacted away since
   */
  public LoggedVersion at(int partition, long offset) {
    return topic
        .at(partition, offset)
        .map(this::read)
        .orElseThrow(
            () ->
                new IllegalStateException(
                    "the record at offset %d of adapters-%d is gone; try again"
                        .formatted(offset, partition)));
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
    topic.close();
  }
}
