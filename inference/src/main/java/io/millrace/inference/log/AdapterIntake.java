package io.millrace.inference.log;

import io.millrace.inference.serving.AdapterCatalog;
import io.millrace.inference.serving.AdapterLoader;
import io.millrace.inference.serving.RefusedException;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.Refusal;
import io.millrace.inference.store.StoredVersion;
import io.millrace.inference.store.StreamOffset;
import io.millrace.inference.store.TopicIdentity;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.schemas.signing.TrustedKeys;
import java.time.Instant;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes the records of {@code adapters}: puts each into the store, together with the offset after
 * it; then what serves takes in those that were polled together. No content of a record stops the
 * reading.
 *
 * <p>A version whose payload does not hash to its name is not stored. One that is whole but does
 * not fit this base model is stored: with another {@code model.name} it may fit. So is one that no
 * trusted key has signed, unless it would replace another version.
 */
public final class AdapterIntake implements TopicIntake<AdapterVersion> {
  private static final Logger LOG = LoggerFactory.getLogger(AdapterIntake.class);

  private final AdapterStore store;
  private final AdapterCatalog catalog;
  private final Set<String> changed = new TreeSet<>();
  private final TrustedKeys trusted;

  /** Checks no signatures. */
  public AdapterIntake(AdapterStore store, AdapterCatalog catalog) {
    this(store, catalog, TrustedKeys.NOT_CHECKED);
  }

  public AdapterIntake(AdapterStore store, AdapterCatalog catalog, TrustedKeys trusted) {
    this.store = store;
    this.catalog = catalog;
    this.trusted = trusted;
  }

  @Override
  public String topic() {
    return Topics.ADAPTERS;
  }

  @Override
  public Class<AdapterVersion> type() {
    return AdapterVersion.class;
  }

  @Override
  public boolean holdsAnotherThan(TopicIdentity topic) {
    return store.topic().filter(held -> !held.equals(topic)).isPresent();
  }

  @Override
  public void begin(TopicIdentity topic) {
    if (store.topic().filter(topic::equals).isEmpty()) {
      store.startAfresh(topic);
      catalog.clear();
    }
  }

  @Override
  public Map<Integer, Long> offsets() {
    return store.offsets();
  }

  @Override
  public void record(byte[] key, AdapterVersion version, StreamOffset after, Instant time) {
    if (version == null) {
      tombstone(key, after);
    } else {
      version(key, version, after);
    }
  }

  /** Takes a version. */
  private void version(byte[] key, AdapterVersion version, StreamOffset offset) {
    StoredVersion arrived = StoredVersion.of(version);
    StoredVersion held = store.version(version.getDomain(), version.getVersion()).orElse(null);
    try {
      requireKey(key, version);
      AdapterLoader.requireHash(AdapterStore.payloadOf(version), version.getSha256());
      if (held != null && !held.equals(arrived)) {
        AdapterLoader.requireTrust(trusted, version.getSha256(), version.getSignature());
      }
    } catch (RefusedException e) {
      Refusal refusal =
          new Refusal(
              version.getDomain(),
              version.getVersion(),
              version.getSha256(),
              e.getMessage(),
              Instant.now());
      LOG.warn("refused and not kept, before {}: {}", offset, refusal);
      store.refuse(refusal, offset);
      catalog.add(refusal);
      changed.add(refusal.domain());
      return;
    }
    store.put(version, offset);
    catalog.add(arrived, held);
    changed.add(version.getDomain());
  }

  /** Takes a tombstone: a version was pruned from the topic. */
  private void tombstone(byte[] key, StreamOffset offset) {
    String domain;
    long version;
    try {
      domain = Topics.domainOfAdapterKey(key);
      version = Topics.versionOfAdapterKey(key);
    } catch (IllegalArgumentException | NullPointerException e) {
      LOG.warn("a tombstone without a version's key, before {}", offset);
      store.skip(offset);
      return;
    }
    store.delete(domain, version, offset);
    catalog.remove(domain, version);
    changed.add(domain);
    LOG.info("domain {}: version {} is pruned", domain, version);
  }

  @Override
  public void unreadable(String reason, StreamOffset offset) {
    LOG.warn("skipped a record, before {}: {}", offset, reason);
    store.skip(offset);
  }

  /** Versions that were polled together are all known before the first of them serves. */
  @Override
  public void flush() {
    changed.forEach(catalog::settle);
    changed.clear();
  }

  /** A tombstone under another key would never reach the version. */
  private static void requireKey(byte[] key, AdapterVersion version) throws RefusedException {
    byte[] due = Topics.adapterKey(version.getDomain(), version.getVersion());
    if (!Arrays.equals(key, due)) {
      throw new RefusedException("its key is not domain@version");
    }
    if (version.getVersion() < 1) {
      throw new RefusedException("versions count from 1");
    }
  }
}
