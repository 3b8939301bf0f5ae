package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.schemas.VersionRef;
import java.util.Collections;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;

/**
 * Number and hash of the versions in the topic {@code adapters} that are committed and not pruned.
 */
public final class KnownVersions {
  private final NavigableMap<String, NavigableMap<Long, VersionRef>> domains = new TreeMap<>();

  private KnownVersions() {}

  /**
   * Reads the topic.
   *
   * @param domain whose versions to read; null for those of all domains
   * @throws UsageException where there is no such topic
   * @throws IllegalStateException where Kafka does not answer
   */
  public static KnownVersions read(Connection connection, String domain) {
    KnownVersions versions = new KnownVersions();
    try (AdapterLog<VersionRef> log = AdapterLog.openRefs(connection, domain)) {
      log.forEach(
          logged -> {
            if (!logged.domain().isEmpty() && (domain == null || domain.equals(logged.domain()))) {
              versions.add(logged);
            }
          });
    }
    return versions;
  }

  /** Pruned and unreadable versions count alike: no serving process can load either. */
  private void add(LoggedVersion<VersionRef> logged) {
    if (logged.published().isEmpty()) {
      domains
          .getOrDefault(logged.domain(), Collections.emptyNavigableMap())
          .remove(logged.version());
      return;
    }
    String sha256 = logged.published().get().getSha256();
    domains
        .computeIfAbsent(logged.domain(), name -> new TreeMap<>())
        .put(logged.version(), new VersionRef(logged.version(), sha256));
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
