package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The versions in the topic {@code adapters} by domain, as far as it must be known to delete them,
 * and their deletion. For one thread.
 */
public final class PrunableVersions {
  /**
   * A version.
   *
   * @param partition where its record is; a tombstone reaches it only there
   * @param bytes size of its payload
   */
  public record Version(int partition, Instant createdAt, int bytes) {}

  private final Connection connection;
  private final NavigableMap<String, NavigableMap<Long, Version>> domains = new TreeMap<>();
  private final Map<String, NavigableSet<Long>> snapshots = new HashMap<>();

  private PrunableVersions(Connection connection) {
    this.connection = connection;
  }

  /**
   * Reads what is committed now.
   *
   * @param domain whose versions; null for those of all domains
   * @throws UsageException where there is no such topic
   * @throws IllegalStateException where Kafka does not answer
   */
  public static PrunableVersions read(Connection connection, String domain) {
    PrunableVersions versions = new PrunableVersions(connection);
    try (AdapterLog<AdapterVersion> log = AdapterLog.open(connection)) {
      log.forEach(
          logged -> {
            if (!logged.domain().isEmpty() && (domain == null || domain.equals(logged.domain()))) {
              versions.add(logged);
            }
          });
    }
    versions.readSnapshots();
    return versions;
  }

  private void add(LoggedVersion<AdapterVersion> logged) {
    if (logged.content() instanceof LoggedVersion.Published<AdapterVersion> published) {
      AdapterVersion record = published.version();
      domains
          .computeIfAbsent(logged.domain(), domain -> new TreeMap<>())
          .put(
              logged.version(),
              new Version(
                  logged.partition(), record.getCreatedAt(), record.getPayload().remaining()));
    } else if (logged.content() instanceof LoggedVersion.Pruned<AdapterVersion>) {
      domains.computeIfPresent(
          logged.domain(),
          (domain, versions) -> {
            versions.remove(logged.version());
            return versions.isEmpty() ? null : versions;
          });
    }
  }

  private void readSnapshots() {
    try (CommittedTopic topic = new CommittedTopic(connection, Topics.TRAINING_SNAPSHOTS)) {
      topic.forEach(
          record -> {
            String domain = Topics.domainOfAdapterKey(record.key());
            if (domains.containsKey(domain)) {
              snapshots
                  .computeIfAbsent(domain, name -> new TreeSet<>())
                  .add(Topics.versionOfAdapterKey(record.key()));
            }
          });
    } catch (UsageException e) {
      // The topics were made before there were snapshots.
      snapshots.clear();
    }
  }

  /** Domains that have versions, by name. */
  public Set<String> domains() {
    return Collections.unmodifiableSet(domains.keySet());
  }

  /** A domain's versions by number; empty where there are none. */
  public NavigableMap<Long, Version> of(String domain) {
    return Collections.unmodifiableNavigableMap(
        domains.getOrDefault(domain, Collections.emptyNavigableMap()));
  }

  /** Numbers of the versions whose snapshots are on record. */
  public NavigableSet<Long> snapshots(String domain) {
    return Collections.unmodifiableNavigableSet(
        snapshots.getOrDefault(domain, Collections.emptyNavigableSet()));
  }

  /**
   * Writes tombstones; returns when Kafka has all of them.
   *
   * @throws IllegalStateException where it does not take one; some may be written
   */
  public void delete(String domain, Set<Long> numbers) {
    Properties properties = connection.properties();
    properties.put(ProducerConfig.ACKS_CONFIG, "all");
    properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
    List<Future<RecordMetadata>> written = new ArrayList<>();
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
      for (long number : numbers) {
        written.add(
            producer.send(
                new ProducerRecord<>(
                    Topics.ADAPTERS,
                    of(domain).get(number).partition(),
                    Topics.adapterKey(domain, number),
                    null)));
      }
      producer.flush();
      for (Future<RecordMetadata> each : written) {
        each.get();
      }
    } catch (ExecutionException e) {
      throw new IllegalStateException(
          "Kafka at %s did not take every tombstone of %s; run it again: %s"
              .formatted(connection.bootstrapServers(), Topics.ADAPTERS, e.getCause().getMessage()),
          e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted; run it again", e);
    }
  }
}
