package io.millrace.operators.evidence;

import io.millrace.schemas.AdapterVersion;
import java.io.IOException;
import java.io.Serializable;
import java.util.Optional;

/** Versions with their payloads, wherever they were published. For one thread. */
public interface PublishedAdapters extends Serializable, AutoCloseable {
  /**
   * One version.
   *
   * @return empty where there is none, or none any more
   * @throws IOException where it cannot be told now; to ask again later can help
   */
  Optional<AdapterVersion> find(String domain, long version) throws IOException;

  @Override
  void close();
}
