package io.millrace.inference.feedback;

import java.time.Instant;

/**
 * A request that was answered here.
 *
 * @param number of the request among all of this process's, from 1
 * @param at when it was answered
 * @param text null where it is longer than an example may be
 * @param predicted the label it was answered with
 * @param version the one that answered
 * @param sha256 of that version
 * @param example the example that was made of it; null while there is none
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

  /** The label that somebody gave, and where the example with it stands in labeled-examples. */
  public record Example(String label, int partition, long offset) {}
}
