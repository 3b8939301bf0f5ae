package io.millrace.operators.evidence;

import io.millrace.schemas.AdapterVersion;
import java.io.IOException;
import java.io.Serializable;
import java.util.Optional;

/** Access to published versions with their payloads. For one thread. */
public interface PublishedAdapters extends Serializable, AutoCloseable {
  /**
   * Looks up one version.
   *
   * @return empty where the version is not published, or was pruned
   * @throws IOException where the look-up fails now; a later one may succeed
   */
  Optional<AdapterVersion> find(String domain, long version) throws IOException;

  @Override
  void close();
}
