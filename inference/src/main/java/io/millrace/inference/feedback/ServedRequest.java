package io.millrace.inference.feedback;

import java.time.Instant;

/**
 * A request that was answered here.
 *
 * @param number counts the requests of this store, from 1
 * @param at when it was answered
 * @param text null where it is longer than the text of an example may be
 * @param predicted the label in the answer
 * @param version number of the version that answered
 * @param sha256 hash of that version
 * @param example the example that was made of it; null where there is none
 */
public record ServedRequest(
    long number,
    Instant at,
    String domain,
    String text,
    String predicted,
    long version,
    String sha256,
    Example example) {

  /** An example: its label, and its partition and offset in {@code labeled-examples}. */
  public record Example(String label, int partition, long offset) {}
}
