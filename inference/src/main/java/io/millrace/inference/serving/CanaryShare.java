package io.millrace.inference.serving;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * Decides which requests a candidate answers: those where the first 8 bytes of SHA-256(domain NUL
 * candidate-sha256 NUL key), as a fraction of 2^64, are below the share.
 *
 * <p>So every process assigns a key to the same version, a key stays with its version, and each
 * candidate gets other keys.
 */
public final class CanaryShare {
  private static final BigInteger ALL = BigInteger.ONE.shiftLeft(Long.SIZE);

  private final byte[] prefix;

  /** The least hash, unsigned, that the stable version answers; null where it answers none. */
  private final Long bound;

  /**
   * @param share the candidate's share of the requests, from 0 to 1
   */
  public CanaryShare(String domain, String candidateSha256, double share) {
    this.prefix = (domain + '\0' + candidateSha256 + '\0').getBytes(UTF_8);
    BigInteger least =
        new BigDecimal(share)
            .multiply(new BigDecimal(ALL))
            .setScale(0, RoundingMode.CEILING)
            .toBigInteger();
    this.bound = least.compareTo(ALL) < 0 ? least.longValue() : null;
  }

  /**
   * Whether the candidate answers a request.
   *
   * @param key the key of the request
   */
  public boolean holds(String key) {
    return bound == null || Long.compareUnsigned(hash(key), bound) < 0;
  }

  private long hash(String key) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(prefix);
      return ByteBuffer.wrap(digest.digest(key.getBytes(UTF_8))).getLong();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
