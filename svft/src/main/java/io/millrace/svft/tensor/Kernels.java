package io.millrace.svft.tensor;

/**
 * The code by which PyTorch computes. A process computes with one of them: see {@link Torch#use}.
 */
public enum Kernels {
  /** What its libraries choose for this processor: other bits on another kind of processor. */
  FAST("fast"),
  /**
   * The same bits on every x86-64 processor that has AVX2. {@code portable/primitives.py} says how.
   */
  PORTABLE("portable");

  private static final int ROWS = 12;
  private static final int LEAST_ROWS = 24;
  private static final int PLACES = 48;

  private final String id;

  Kernels(String id) {
    this.id = id;
  }

  /** The name in settings and on record. */
  public String id() {
    return id;
  }

  /**
   * The kernels of a name.
   *
   * @throws IllegalArgumentException if none have it
   */
  public static Kernels of(String id) {
    for (Kernels kernels : values()) {
      if (kernels.id.equals(id)) {
        return kernels;
      }
    }
    throw new IllegalArgumentException("unknown kernels \"" + id + "\": fast or portable");
  }

  /** The number of rows with which a slice of this many tokens is computed. */
  public int rows(int tokens) {
    return this == FAST ? tokens : Math.max(LEAST_ROWS, multiple(tokens, ROWS));
  }

  /** What {@link #rows} is a multiple of. */
  public int rowMultiple() {
    return this == FAST ? 1 : ROWS;
  }

  /** The number of places per sequence with which attention computes. */
  public int places(int longest) {
    return this == FAST ? longest : multiple(longest, PLACES);
  }

  private static int multiple(int count, int of) {
    return (count + of - 1) / of * of;
  }
}
