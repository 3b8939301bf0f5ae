package io.millrace.operators.evidence;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.VersionPlace;
import java.io.IOException;
import java.io.Serializable;
import java.util.Optional;

/** Access to published versions with their payloads. For one thread. */
public interface PublishedAdapters extends Serializable, AutoCloseable {
  /**
   * Reads one version.
   *
   * @param place where it stands
   * @return empty where it does not stand there any more
   * @throws IOException where the look-up fails now; a later one may succeed
   */
  Optional<AdapterVersion> at(String domain, VersionPlace place) throws IOException;

  @Override
  void close();
}
