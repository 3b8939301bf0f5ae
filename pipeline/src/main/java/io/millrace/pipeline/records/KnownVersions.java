package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.client.process.UsageException;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.schemas.VersionRef;
import java.util.Collections;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;

/** The versions in the topic {@code adapters} that are committed and not pruned. */
public final class KnownVersions {
  private final NavigableMap<String, NavigableMap<Long, VersionRef>> domains = new TreeMap<>();
  private final Deserializer<AdapterVersion> reader;

  private KnownVersions(Deserializer<AdapterVersion> reader) {
    this.reader = reader;
  }

  /**
   * Reads the topic.
   *
   * @param domain whose partition to read; null for all of them
   * @throws UsageException where there is no such topic
   * @throws IllegalStateException where Kafka does not answer
   */
  public static KnownVersions read(Connection connection, String domain) {
    KnownVersions versions = new KnownVersions(connection.deserializer(AdapterVersion.class));
    try (TopicTail topic = new TopicTail(connection, Topics.ADAPTERS, "read_committed", domain)) {
      topic.readOn(record -> versions.add(record, domain));
    }
    return versions;
  }

  private void add(ConsumerRecord<byte[], byte[]> record, String only) {
    String domain;
    long version;
    try {
      if (record.key() == null) {
        return;
      }
      domain = Topics.domainOfAdapterKey(record.key());
      version = Topics.versionOfAdapterKey(record.key());
    } catch (IllegalArgumentException e) {
      return;
    }
    if (only != null && !only.equals(domain)) {
      return;
    }
    if (record.value() == null) {
      domains.getOrDefault(domain, Collections.emptyNavigableMap()).remove(version);
      return;
    }
    try {
      String sha256 = reader.deserialize(Topics.ADAPTERS, record.value()).getSha256();
      domains
          .computeIfAbsent(domain, name -> new TreeMap<>())
          .put(version, new VersionRef(version, sha256));
    } catch (UnreadableRecordException e) {
      // No serving process can load it either.
      domains.getOrDefault(domain, Collections.emptyNavigableMap()).remove(version);
    }
  }

  /** Domains that had a version, by name. */
  public Set<String> domains() {
    return Collections.unmodifiableSet(domains.keySet());
  }

  /** A domain's versions by number; empty where there are none. */
  public NavigableMap<Long, VersionRef> of(String domain) {
    return Collections.unmodifiableNavigableMap(
        domains.getOrDefault(domain, Collections.emptyNavigableMap()));
  }
}
