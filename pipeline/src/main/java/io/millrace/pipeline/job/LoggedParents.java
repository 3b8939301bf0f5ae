package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.operators.adapt.ParentVersions;
import io.millrace.pipeline.records.NewestVersions;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.svft.method.AdapterException;
import java.io.IOException;
import java.util.Optional;
import org.apache.kafka.common.KafkaException;

/**
 * Reads the versions that new domains start from in the topic {@code adapters}, from the first new
 * domain on that has one above it.
 */
final class LoggedParents implements ParentVersions {
  private static final long serialVersionUID = 1;

  private final Connection connection;
  private final int domains;
  private transient NewestVersions versions;

  /**
   * @param domains most domains whose versions are known
   */
  LoggedParents(Connection connection, int domains) {
    this.connection = connection;
    this.domains = domains;
  }

  @Override
  public Optional<AdapterVersion> latest(String domain) throws IOException {
    try {
      if (versions == null) {
        versions = new NewestVersions(connection, domains);
      }
      return RegistryPatience.patiently(() -> versions.of(domain));
    } catch (UnreadableRecordException e) {
      throw new AdapterException("it cannot be read: " + e.getMessage());
    } catch (KafkaException e) {
      // What the consumer has begun is not known; another one starts anew.
      close();
      throw new IOException(
          "the topic %s at %s cannot be read: %s"
              .formatted(Topics.ADAPTERS, connection.bootstrapServers(), e.getMessage()),
          e);
    }
  }

  @Override
  public void close() {
    if (versions != null) {
      versions.close();
      versions = null;
    }
  }
}
