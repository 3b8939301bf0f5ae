package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.operators.adapt.ParentVersions;
import io.millrace.pipeline.records.NewestVersions;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.svft.method.AdapterException;
import java.io.IOException;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import org.apache.kafka.common.KafkaException;

/**
 * Reads the versions that new domains start from in the topic {@code adapters}, from the first new
 * domain on that has one above it.
 *
 * <p>The training operators of a process share what was read. It outlives them, so that a restart
 * of the job in the same process reads on from there, and does not take as long as the attempt
 * before it.
 */
final class LoggedParents implements ParentVersions {
  private static final long serialVersionUID = 1;

  /** Of jobs that have ended, what was read is kept of so many. */
  private static final int ENDED = 1;

  private record Key(Map<Object, Object> kafka, String registry, int domains) {}

  private static final class Shared {
    private final NewestVersions versions;
    private int users;

    Shared(NewestVersions versions) {
      this.versions = versions;
    }
  }

  // Static because the slots of a task manager, and the attempts of a job, share nothing else.
  private static final Map<Key, Shared> SHARED = new LinkedHashMap<>();

  private final Connection connection;
  private final int domains;
  private transient Shared shared;

  /**
   * @param domains most domains whose versions are known
   */
  LoggedParents(Connection connection, int domains) {
    this.connection = connection;
    this.domains = domains;
  }

  @Override
  public Optional<AdapterVersion> latest(String domain) throws IOException {
    if (shared == null) {
      shared = share();
    }
    try {
      return RegistryPatience.patiently(() -> shared.versions.of(domain));
    } catch (UnreadableRecordException e) {
      throw new AdapterException("it cannot be read: " + e.getMessage());
    } catch (KafkaException e) {
      throw new IOException(
          "the topic %s at %s cannot be read: %s"
              .formatted(Topics.ADAPTERS, connection.bootstrapServers(), e.getMessage()),
          e);
    }
  }

  private Shared share() {
    Properties kafka = connection.properties();
    Key key = new Key(new HashMap<>(kafka), connection.registryUrl(), domains);
    synchronized (SHARED) {
      Shared entry = SHARED.remove(key);
      if (entry == null) {
        entry = new Shared(new NewestVersions(connection, domains));
      }
      entry.users++;
      SHARED.put(key, entry);
      return entry;
    }
  }

  @Override
  public void close() {
    if (shared == null) {
      return;
    }
    synchronized (SHARED) {
      shared.users--;
      if (shared.users == 0) {
        shared.versions.close();
      }
      long ended = SHARED.values().stream().filter(each -> each.users == 0).count();
      Iterator<Shared> eldest = SHARED.values().iterator();
      while (ended > ENDED && eldest.hasNext()) {
        if (eldest.next().users == 0) {
          eldest.remove();
          ended--;
        }
      }
    }
    shared = null;
  }
}
