package io.millrace.svft.tensor;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * SplitMix64 (Steele, Lea and Flood, 2014, "Fast splittable pseudorandom number generators"): a
 * pseudorandom generator that is short enough to reimplement in any language. {@code RandomPattern}
 * specifies it step by step.
 */
public final class SplitMix64 {
  private long state;

  private SplitMix64(long state) {
    this.state = state;
  }

  /**
   * A generator whose state starts as the first eight bytes, big-endian, of the SHA-256 of the
   * UTF-8 text.
   */
  public static SplitMix64 seededBy(String text) {
    byte[] hash = Sha256.digest().digest(text.getBytes(StandardCharsets.UTF_8));
    return new SplitMix64(ByteBuffer.wrap(hash).getLong());
  }

  long next() {
    state += 0x9E3779B97F4A7C15L;
    long z = state;
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }

  /**
   * Draws a whole number uniformly from 0 to bound − 1.
   *
   * @param bound positive
   */
  public int below(int bound) {
    while (true) {
      long x = next() >>> 1;
      long remainder = x % bound;
      // Rejects draws from the incomplete last run of bound numbers, which would favour small
      // results. The sum overflows, and so turns negative, only there.
      if (x - remainder + (bound - 1) >= 0) {
        return (int) remainder;
      }
    }
  }

  /** Draws a number uniformly from [0, 1), with 53 random bits. */
  public double nextDouble() {
    return (next() >>> 11) * 0x1p-53;
  }

  /** Draws a number uniformly from [0, 1), with 24 random bits. */
  public float nextFloat() {
    return (next() >>> 40) * 0x1p-24f;
  }

  /** Draws a number uniformly from [−bound, bound), rounded to float32. */
  public float nextWithin(double bound) {
    return (float) ((2 * nextDouble() - 1) * bound);
  }
}
