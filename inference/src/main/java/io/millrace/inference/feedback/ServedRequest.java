package io.millrace.inference.feedback;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Objects;

/**
 * A request that was answered here.
 *
 * @param number counts the requests of this store, from 1
 * @param at when it was answered
 * @param text null where it is longer than the text of an example may be
 * @param domain the domain that was asked
 * @param predicted the label in the answer; empty where the base model answered
 * @param servedDomain the domain whose version answered; null where the base model did
 * @param version number of the version that answered; 0 for the base model
 * @param sha256 hash of that version; empty for the base model
 * @param claim who said last that it will write the example; null where nobody has
 * @param example the example that was made of it; null where there is none
 */
public record ServedRequest(
    long number,
    Instant at,
    String domain,
    String text,
    String predicted,
    String servedDomain,
    long version,
    String sha256,
    Claim claim,
    Example example) {
  /** The limit of examples, in bytes of UTF-8: longer texts are not trained on. */
  static final int MAX_TEXT_BYTES = 64 * 1024;

  /** Whether this is what a request with this domain and text asks for. */
  boolean asks(String domain, String text) {
    return this.domain.equals(domain) && Objects.equals(this.text, kept(text));
  }

  /**
   * Hash of domain and text. Two processes may answer two requests with one id before they know of
   * each other; it tells which of the two a claim or an example belongs to.
   */
  String asked() {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(domain.getBytes(UTF_8));
      digest.update((byte) 0);
      digest.update(String.valueOf(text).getBytes(UTF_8));
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** What is kept of a text: nothing where it is too long for an example. */
  static String kept(String text) {
    boolean fits =
        text.length() * 3L <= MAX_TEXT_BYTES
            || text.length() <= MAX_TEXT_BYTES && text.getBytes(UTF_8).length <= MAX_TEXT_BYTES;
    return fits ? text : null;
  }

  /**
   * The intention to write an example. Where there is no example after it, nobody knows whether one
   * was written.
   *
   * @param attempt names it
   * @param process the serving process that writes
   * @param at when it was made, by the clock of that process
   */
  public record Claim(String attempt, String process, String label, Instant at) {}

  /** An example: its label, and its partition and offset in {@code labeled-examples}. */
  public record Example(String label, int partition, long offset) {}
}
