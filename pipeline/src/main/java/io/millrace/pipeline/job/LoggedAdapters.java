package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.RegistryUnavailableException;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.client.process.UsageException;
import io.millrace.operators.evidence.PublishedAdapters;
import io.millrace.pipeline.records.CommittedTopic;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * The versions on the topic {@code adapters}: each is looked up by reading its partition, from the
 * last one of its domain that was found on.
 */
public final class LoggedAdapters implements PublishedAdapters {
  private static final long serialVersionUID = 1;

  private record Place(long version, long offset) {}

  private final Connection connection;
  private transient Deserializer<AdapterVersion> reader;
  private transient Map<String, Place> found;

  public LoggedAdapters(Connection connection) {
    this.connection = connection;
  }

  @Override
  public Optional<AdapterVersion> find(String domain, long version) throws IOException {
    if (reader == null) {
      reader = connection.deserializer(AdapterVersion.class);
      found = new HashMap<>();
    }
    Place last = found.get(domain);
    long from = last != null && last.version() < version ? last.offset() : 0;
    byte[] key = Topics.adapterKey(domain, version);
    byte[] partitionBy = domain.getBytes(StandardCharsets.UTF_8);
    // A connection of its own each time: it is wanted once per candidate, and minutes apart.
    try (CommittedTopic topic = new CommittedTopic(connection, Topics.ADAPTERS)) {
      Optional<ConsumerRecord<byte[], byte[]>> record = topic.newest(key, partitionBy, from);
      if (record.isEmpty() && from > 0) {
        record = topic.newest(key, partitionBy, 0);
      }
      record.ifPresent(there -> found.put(domain, new Place(version, there.offset())));
      return record.map(there -> reader.deserialize(Topics.ADAPTERS, there.value()));
    } catch (UnreadableRecordException e) {
      throw new IOException("%s@%d: %s".formatted(domain, version, e.getMessage()), e);
    } catch (UsageException | IllegalStateException | RegistryUnavailableException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    // Nothing is held open.
  }
}
