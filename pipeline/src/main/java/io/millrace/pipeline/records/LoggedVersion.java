package io.millrace.pipeline.records;

import io.millrace.schemas.AdapterVersion;
import java.util.Optional;

/**
 * One record of the topic {@code adapters}, as it lies there.
 *
 * @param domain of its key; empty where the key is none of ours
 * @param version of its key; 0 where the key is none of ours
 * @param content what it says
 */
public record LoggedVersion(
    int partition, long offset, String domain, long version, Content content) {

  /** What a record says. */
  public sealed interface Content {}

  /** A version. */
  public record Published(AdapterVersion version) implements Content {}

  /** That the key's version is gone: a tombstone. */
  public record Pruned() implements Content {}

  /** Nothing that can be read. */
  public record Unreadable(String why) implements Content {}

  /** The version, where it is one. */
  public Optional<AdapterVersion> published() {
    return content instanceof Published found ? Optional.of(found.version()) : Optional.empty();
  }

  /** Where it lies, for people: {@code adapters-0 at offset 17}. */
  public String place() {
    return "adapters-" + partition + " at offset " + offset;
  }
}
