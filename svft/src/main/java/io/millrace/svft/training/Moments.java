package io.millrace.svft.training;

/**
 * The format of AdamW's moments, which take two thirds of a domain's state.
 *
 * <p>A bfloat16 has float32's exponent and 8 bits of precision. A second moment changes by a
 * thousandth in a step, less than half of its last bit, so rounding to the nearest value would hold
 * it for good. A moment is therefore rounded up with the probability that its rest stands for
 * (stochastic rounding; Gupta et al., 2015, arXiv 1502.02551). The draw is a function of the step,
 * the value's index and the moment, so training stays a function of the stream.
 */
public enum Moments {
  /** As AdamW computes them. */
  FLOAT32("float32"),
  /** Half the size, rounded after each step. */
  BFLOAT16("bfloat16");

  private static final int REST = 0xFFFF;

  private final String id;

  Moments(String id) {
    this.id = id;
  }

  /** The name in settings and on record. */
  public String id() {
    return id;
  }

  /**
   * The format of a name.
   *
   * @throws IllegalArgumentException if none has it
   */
  public static Moments of(String id) {
    for (Moments moments : values()) {
      if (moments.id.equals(id)) {
        return moments;
      }
    }
    throw new IllegalArgumentException(
        "unknown format of moments \"" + id + "\": float32 or bfloat16");
  }

  /**
   * Rounds the moments of parameters in place.
   *
   * @param step number of the step that changed them, from 1
   */
  void round(Parameters parameters, long step) {
    round(parameters, step, 0);
  }

  /**
   * Rounds the moments of a part of the parameters in place.
   *
   * @param first index of the part's first value among all
   */
  void round(Parameters part, long step, int first) {
    if (this == BFLOAT16) {
      round(part.firstMoment(), 2 * step, first);
      round(part.secondMoment(), 2 * step + 1, first);
    }
  }

  private static void round(float[] moments, long stream, int first) {
    long seed = mix(stream) + first;
    for (int i = 0; i < moments.length; i++) {
      int bits = Float.floatToRawIntBits(moments[i]);
      moments[i] = Float.intBitsToFloat(bits + (int) (mix(seed + i) & REST) & ~REST);
    }
  }

  /** Spreads a number over all bits (the finalizer of SplitMix64). */
  private static long mix(long x) {
    long z = x + 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
