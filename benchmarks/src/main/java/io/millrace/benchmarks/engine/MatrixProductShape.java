package io.millrace.benchmarks.engine;

/**
 * The product of [tokens, in] and [in, out].
 *
 * @param tokens rows of the left factor
 * @param in what is summed over
 * @param out columns of the right factor
 */
record MatrixProductShape(long tokens, long in, long out) {
  /** Reads {@code tokens x in x out}, such as {@code 120x384x1536}. */
  static MatrixProductShape parse(String text) {
    String[] sizes = text.split("x");
    if (sizes.length != 3) {
      throw new IllegalArgumentException(
          "shape \"" + text + "\" is not TOKENSxINxOUT, such as 120x384x1536");
    }
    return new MatrixProductShape(
        Long.parseLong(sizes[0]), Long.parseLong(sizes[1]), Long.parseLong(sizes[2]));
  }

  /** Floating-point operations: a multiplication and an addition for each of tokens · in · out. */
  double flop() {
    return 2.0 * tokens * in * out;
  }
}
