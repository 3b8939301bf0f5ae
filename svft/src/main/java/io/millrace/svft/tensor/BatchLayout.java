package io.millrace.svft.tensor;

/**
 * How a batch is laid out for the engine. The layout decides bits, so it is on record.
 *
 * <p>A batch is cut into segments. The gradients of a segment's rows are summed first, then those
 * of the segments in their order. A slice is what one thread computes in one call.
 */
public enum BatchLayout {
  /**
   * A segment is a slice: its sequences are padded to its longest one, and one matrix product pools
   * them all. What earlier releases trained with.
   */
  SLICES("slices"),

  /**
   * A segment's bits are the same alone and beside any segments of other batches, so a slice may
   * hold segments of several adapters: sequences are padded to one of few sizes, and no product has
   * rows of two sequences among its terms.
   */
  SEGMENTS("segments");

  private final String id;

  BatchLayout(String id) {
    this.id = id;
  }

  /** The name in settings and on record. */
  public String id() {
    return id;
  }

  /**
   * The layout of a name.
   *
   * @throws IllegalArgumentException if none has it
   */
  public static BatchLayout of(String id) {
    for (BatchLayout layout : values()) {
      if (layout.id.equals(id)) {
        return layout;
      }
    }
    throw new IllegalArgumentException("unknown layout \"" + id + "\": segments or slices");
  }
}
