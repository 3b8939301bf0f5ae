package io.millrace.pipeline.records;

import io.millrace.schemas.AdapterVersion;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/** The versions in the topic {@code adapters}, without their payloads. */
public final class PublishedVersions {
  /**
   * One of them.
   *
   * @param record what was published, its payload left out
   * @param bytes size of the payload
   */
  public record Entry(int partition, long offset, AdapterVersion record, int bytes) {}

  private final SortedMap<String, TreeMap<Long, Entry>> domains = new TreeMap<>();
  private final List<String> unreadable = new ArrayList<>();

  private PublishedVersions() {}

  /** Reads the whole log. */
  public static PublishedVersions of(AdapterLog<AdapterVersion> log) {
    PublishedVersions versions = new PublishedVersions();
    log.forEach(versions::add);
    return versions;
  }

  private void add(LoggedVersion<AdapterVersion> logged) {
    if (logged.content() instanceof LoggedVersion.Published<AdapterVersion> published) {
      AdapterVersion record = published.version();
      int bytes = record.getPayload().remaining();
      record.setPayload(ByteBuffer.allocate(0));
      domains
          .computeIfAbsent(record.getDomain(), domain -> new TreeMap<>())
          .put(record.getVersion(), new Entry(logged.partition(), logged.offset(), record, bytes));
    } else if (logged.content() instanceof LoggedVersion.Unreadable<AdapterVersion> broken) {
      unreadable.add(logged.place() + ": " + broken.why());
    } else if (domains.containsKey(logged.domain())) {
      domains.get(logged.domain()).remove(logged.version());
      domains.computeIfPresent(
          logged.domain(), (domain, versions) -> versions.isEmpty() ? null : versions);
    }
  }

  /** Names of the domains, sorted. */
  public Set<String> domains() {
    return Collections.unmodifiableSet(domains.keySet());
  }

  /** A domain's versions, the newest last; empty where there is no such domain. */
  public Collection<Entry> of(String domain) {
    TreeMap<Long, Entry> versions = domains.get(domain);
    return versions == null ? List.of() : Collections.unmodifiableCollection(versions.values());
  }

  /** One version, where it is there. */
  public Optional<Entry> of(String domain, long version) {
    TreeMap<Long, Entry> versions = domains.get(domain);
    return versions == null ? Optional.empty() : Optional.ofNullable(versions.get(version));
  }

  /** Records that cannot be read: where, and why. */
  public List<String> unreadable() {
    return Collections.unmodifiableList(unreadable);
  }
}
