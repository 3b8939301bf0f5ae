package io.millrace.operators.adapt;

import io.millrace.schemas.AdapterVersion;
import io.millrace.svft.method.AdapterException;
import java.io.IOException;
import java.io.Serializable;
import java.util.Optional;

/** The published versions that new domains may start from. For one thread. */
public interface ParentVersions extends Serializable, AutoCloseable {
  /**
   * The version of a domain that was published last, with its payload, as it stands when this is
   * called.
   *
   * @return empty where the domain has none
   * @throws AdapterException where there is one that nobody can read
   * @throws IOException where the look-up fails now; a later one may succeed
   */
  Optional<AdapterVersion> latest(String domain) throws IOException;

  @Override
  void close();

  /** No versions: every domain starts from the base model. */
  static ParentVersions none() {
    return new None();
  }

  /** See {@link #none}. */
  record None() implements ParentVersions {
    @Override
    public Optional<AdapterVersion> latest(String domain) {
      return Optional.empty();
    }

    @Override
    public void close() {
      // Nothing is held open.
    }
  }
}
