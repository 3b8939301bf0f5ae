package io.millrace.pipeline.records;

import java.util.Optional;

/**
 * One record of the topic {@code adapters}, with its place there.
 *
 * @param <T> what was read of a version: the whole record, or its number and hash
 * @param domain of its key; empty where the key is no {@code domain@version}
 * @param version of its key; 0 where the key is no {@code domain@version}
 * @param content of its value
 */
public record LoggedVersion<T>(
    int partition, long offset, String domain, long version, Content<T> content) {

  /** The value of a record. */
  public sealed interface Content<T> {}

  /** A version. */
  public record Published<T>(T version) implements Content<T> {}

  /** No value: the version of the key is deleted. */
  public record Pruned<T>() implements Content<T> {}

  /** A value that cannot be read. */
  public record Unreadable<T>(String why) implements Content<T> {}

  /** The version, where the record holds one. */
  public Optional<T> published() {
    return content instanceof Published<T> found ? Optional.of(found.version()) : Optional.empty();
  }

  /** The place, for people: {@code adapters-0 at offset 17}. */
  public String place() {
    return "adapters-" + partition + " at offset " + offset;
  }
}
