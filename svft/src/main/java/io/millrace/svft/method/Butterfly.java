package io.millrace.svft.method;

import io.millrace.svft.model.EncoderWeight;

/**
 * The permutations between which a butterfly's factors are block-diagonal (Liu et al., 2023, arXiv
 * 2311.06243), as in PEFT. Factor i, from 0, takes its inputs in groups of 2^i blocks. The first
 * half of a group goes to the first halves of its blocks, in order, and the second half to the
 * second halves. So factor 0 permutes nothing, factor 1 couples two neighbouring blocks, and so on.
 */
final class Butterfly {
  private final long[] order;
  private final long[] inverse;

  /**
   * @param in the number of inputs
   * @param block rows of a block
   * @param factors the number of factors
   */
  Butterfly(int in, int block, int factors) {
    this.order = new long[factors * in];
    this.inverse = new long[factors * in];
    int half = block / 2;
    for (int factor = 0; factor < factors; factor++) {
      int group = block << factor;
      for (int i = 0; i < in; i++) {
        // With one factor nothing is permuted, so a block need not have two halves.
        int to = factor == 0 ? i : i / group * group + dealt(i % group, half, group / half);
        order[factor * in + i] = to;
        inverse[factor * in + to] = i;
      }
    }
  }

  /**
   * The place in its group that input i goes to, counted in halves of blocks: the first inputs to
   * even halves, the others to odd ones.
   */
  private static int dealt(int i, int half, int halves) {
    int number = i / half;
    int to = number < halves / 2 ? 2 * number : 2 * (number - halves / 2) + 1;
    return to * half + i % half;
  }

  /**
   * The number of blocks of a weight's inputs.
   *
   * @throws IllegalArgumentException if they have no such blocks
   */
  static int blocks(String method, EncoderWeight weight, int block, int factors) {
    long group = (long) block << (factors - 1);
    if (weight.in() % group != 0) {
      throw new IllegalArgumentException(
          "%s: %s has %d inputs, which are no multiple of %s: choose another block"
              .formatted(
                  method,
                  weight.name(),
                  weight.in(),
                  factors == 1 ? block : block + " · 2^" + (factors - 1)));
    }
    return weight.in() / block;
  }

  /** [factors · in]: the place of each input. */
  long[] order() {
    return order;
  }

  /** [factors · in]: the input at each place. */
  long[] inverse() {
    return inverse;
  }
}
