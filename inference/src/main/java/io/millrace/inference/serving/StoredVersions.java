package io.millrace.inference.serving;

import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.StoredVersion;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.VersionLookup;
import java.util.Optional;

/** The versions of a domain in the local store, as decisions look them up. */
record StoredVersions(AdapterStore store, String domain) implements VersionLookup {
  @Override
  public VersionRef find(long number) {
    return ref(store.version(domain, number));
  }

  @Override
  public VersionRef newest() {
    return before(Long.MAX_VALUE);
  }

  @Override
  public VersionRef oldest() {
    return store.firstVersion(domain).stream().mapToObj(this::find).findFirst().orElse(null);
  }

  @Override
  public VersionRef before(long number) {
    return ref(store.versionBefore(domain, number));
  }

  @Override
  public long count() {
    return store.countVersions(domain);
  }

  private static VersionRef ref(Optional<StoredVersion> version) {
    return version.map(v -> new VersionRef(v.version(), v.sha256())).orElse(null);
  }
}
