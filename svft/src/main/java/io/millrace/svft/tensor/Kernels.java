package io.millrace.svft.tensor;

/**
 * The code by which PyTorch computes. A process has portable ones or the others, and can compute
 * with both of these: see {@link Torch#use}.
 */
public enum Kernels {
  /** What its libraries choose for this processor: other bits on another kind of processor. */
  FAST("fast", "fast"),
  /**
   * The same, but for products with the base model's matrices, which are kept once more in the
   * layout in which oneDNN reads them fastest. On a GPU there is no such layout: as {@link #FAST}.
   */
  PACKED("packed", "fast"),
  /**
   * The same bits on every x86-64 processor that has AVX2. {@code portable/primitives.py} says how.
   */
  PORTABLE("portable", "portable");

  private static final int ROWS = 12;

  /**
   * oneDNN prepares a product for each number of rows that it meets, and knows the last thousand.
   */
  private static final int PACKED_ROWS = 8;

  /** With fewer rows, oneDNN's code for AVX2 adds sums of 1,536 terms in another order. */
  private static final int LEAST_PACKED_ROWS = 88;

  private static final int LEAST_ROWS = 24;
  private static final int PLACES = 48;

  private final String id;
  private final String primitives;

  Kernels(String id, String primitives) {
    this.id = id;
    this.primitives = primitives + "/primitives";
  }

  /** The name in settings and on record. */
  public String id() {
    return id;
  }

  /** The piece of the program that computes with them. */
  public String primitives() {
    return primitives;
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
    throw new IllegalArgumentException("unknown kernels \"" + id + "\": fast, packed or portable");
  }

  /** The number of rows with which a slice of this many tokens is computed. */
  public int rows(int tokens) {
    return switch (this) {
      case FAST -> tokens;
      case PACKED -> Math.max(LEAST_PACKED_ROWS, multiple(tokens, PACKED_ROWS));
      case PORTABLE -> Math.max(LEAST_ROWS, multiple(tokens, ROWS));
    };
  }

  /** What {@link #rows} is a multiple of. */
  public int rowMultiple() {
    return switch (this) {
      case FAST -> 1;
      case PACKED -> PACKED_ROWS;
      case PORTABLE -> ROWS;
    };
  }

  /** The number of places per sequence with which attention computes. */
  public int places(int longest) {
    return this == PORTABLE ? multiple(longest, PLACES) : longest;
  }

  private static int multiple(int count, int of) {
    return (count + of - 1) / of * of;
  }
}
