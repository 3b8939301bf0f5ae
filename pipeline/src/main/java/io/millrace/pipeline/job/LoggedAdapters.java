package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.RegistryUnavailableException;
import io.millrace.client.process.UsageException;
import io.millrace.operators.evidence.PublishedAdapters;
import io.millrace.pipeline.records.AdapterLog;
import io.millrace.pipeline.records.LoggedVersion;
import io.millrace.schemas.AdapterVersion;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Looks up published versions for the evidence operator, in the topic {@code adapters}. Each lookup
 * reads the partition of the domain, from the place of the last version that was found.
 */
final class LoggedAdapters implements PublishedAdapters {
  private static final long serialVersionUID = 1;

  private record Place(long version, long offset) {}

  private final Connection connection;
  private transient Deserializer<AdapterVersion> reader;
  private transient Map<String, Place> found;

  LoggedAdapters(Connection connection) {
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
    // One connection per lookup: there is one lookup per candidate, minutes apart.
    try (AdapterLog<AdapterVersion> log = AdapterLog.open(connection, reader)) {
      Optional<LoggedVersion<AdapterVersion>> record = log.newest(domain, version, from);
      if (record.isEmpty() && from > 0) {
        record = log.newest(domain, version, 0);
      }
      if (record.isEmpty()) {
        return Optional.empty();
      }
      LoggedVersion<AdapterVersion> there = record.get();
      found.put(domain, new Place(version, there.offset()));
      if (there.content() instanceof LoggedVersion.Unreadable<AdapterVersion> broken) {
        throw new IOException("%s@%d: %s".formatted(domain, version, broken.why()));
      }
      return there.published();
    } catch (UsageException | IllegalStateException | RegistryUnavailableException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    // Nothing is held open.
  }
}
