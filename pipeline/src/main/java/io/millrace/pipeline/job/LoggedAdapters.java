package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.RegistryUnavailableException;
import io.millrace.client.process.UsageException;
import io.millrace.operators.evidence.PublishedAdapters;
import io.millrace.pipeline.records.AdapterLog;
import io.millrace.pipeline.records.LoggedVersion;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.VersionPlace;
import java.io.IOException;
import java.util.Optional;
import org.apache.kafka.common.serialization.Deserializer;

/** Reads published versions for the evidence operator from the topic {@code adapters}. */
final class LoggedAdapters implements PublishedAdapters {
  private static final long serialVersionUID = 1;

  private final Connection connection;
  private transient Deserializer<AdapterVersion> reader;

  LoggedAdapters(Connection connection) {
    this.connection = connection;
  }

  @Override
  public Optional<AdapterVersion> at(String domain, VersionPlace place) throws IOException {
    if (reader == null) {
      reader = connection.deserializer(AdapterVersion.class);
    }
    // One connection per lookup: there is one lookup per candidate, minutes apart.
    try (AdapterLog<AdapterVersion> log = AdapterLog.open(connection, reader)) {
      Optional<LoggedVersion<AdapterVersion>> record =
          log.find(place.getPartition(), place.getOffset())
              .filter(there -> there.domain().equals(domain))
              .filter(there -> there.version() == place.getVersion());
      if (record.isEmpty()) {
        return Optional.empty();
      }
      if (record.get().content() instanceof LoggedVersion.Unreadable<AdapterVersion> broken) {
        throw new IOException("%s@%d: %s".formatted(domain, place.getVersion(), broken.why()));
      }
      return record.get().published();
    } catch (UsageException | IllegalStateException | RegistryUnavailableException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    // Nothing is held open.
  }
}
