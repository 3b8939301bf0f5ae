package io.millrace.svft.tensor;

import io.millrace.svft.method.RandomPattern;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * SplitMix64 (Steele, Lea and Flood, 2014, "Fast splittable pseudorandom number generators"): a
 * generator short enough to be written again in any language. {@link RandomPattern} spells it out.
 */
public final class SplitMix64 {
  private long state;

  private SplitMix64(long state) {
    this.state = state;
  }

  /** Its state starts as the first eight bytes, big-endian, of the UTF-8 text's SHA-256. */
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

  /** Uniform from 0 to bound − 1. */
  public int below(int bound) {
    while (true) {
      long x = next() >>> 1;
      long remainder = x % bound;
      // The sum passes 2⁶³ − 1, and turns negative, only in the incomplete last run.
      if (x - remainder + (bound - 1) >= 0) {
        return (int) remainder;
      }
    }
  }

  /** Uniform in [0, 1), with 53 bits. */
  public double nextDouble() {
    return (next() >>> 11) * 0x1p-53;
  }
}
