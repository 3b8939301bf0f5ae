package io.millrace.schemas.signing;

import io.millrace.schemas.AdapterVersion;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;

/**
 * The check that a version is its content: the SHA-256 of its payload must be its id. Everything
 * that takes a version from a topic or a store asks here before it uses the payload.
 *
 * @param id what the version calls itself, hexadecimal
 * @param actual what its payload hashes to, hexadecimal
 */
public record PayloadHash(String id, String actual) {
  /** Hashes the payload of a published version; the record is not changed. */
  public static PayloadHash of(AdapterVersion version) {
    return of(version.getPayload(), version.getSha256());
  }

  /** Hashes a payload that was taken from its record. */
  public static PayloadHash of(byte[] payload, String id) {
    return of(ByteBuffer.wrap(payload), id);
  }

  private static PayloadHash of(ByteBuffer payload, String id) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(payload.duplicate());
      return new PayloadHash(id, HexFormat.of().formatHex(digest.digest()));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  /** Whether the payload is the one that the id names. */
  public boolean matches() {
    return actual.equals(id);
  }

  /** What is wrong, if the payload is not the one that the id names. */
  public Optional<String> fault() {
    return matches()
        ? Optional.empty()
        : Optional.of("its payload's SHA-256 is %s, its id %s".formatted(actual, id));
  }
}
