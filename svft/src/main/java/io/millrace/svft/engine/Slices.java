package io.millrace.svft.engine;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * How a batch is cut up for several threads: by sequence length, into slices of about as many
 * tokens each. The cut depends on the batch alone, never on the number of threads, and what the
 * slices give is summed in their order; so the sum's bits do not depend on threads either.
 *
 * <p>Sequences of like length in one slice leave attention little padding.
 */
public final class Slices {
  /** Smaller slices leave matrix products below the machine's rate. */
  private static final int TOKENS = 192;

  private Slices() {}

  /**
   * Two for a batch of any size: a machine with one core is rare.
   *
   * @param ids per sequence its token ids
   * @return per slice the indices of its sequences; their number is a power of two
   */
  public static List<int[]> of(long[][] ids) {
    return of(ids, 2);
  }

  /**
   * As {@link #of(long[][])}.
   *
   * @param least slices, a power of two; fewer only where there are fewer sequences
   */
  public static List<int[]> of(long[][] ids, int least) {
    Integer[] order = new Integer[ids.length];
    long tokens = 0;
    for (int i = 0; i < ids.length; i++) {
      order[i] = i;
      tokens += ids[i].length;
    }
    Arrays.sort(order, Comparator.comparingInt(i -> ids[i].length));
    int slices = count(ids.length, tokens, least);
    List<int[]> result = new ArrayList<>();
    int from = 0;
    long taken = 0;
    for (int i = 0; i < order.length; i++) {
      taken += ids[order[i]].length;
      int left = order.length - i - 1;
      int slicesLeft = slices - result.size() - 1;
      // Cut where what is taken comes nearest to the slices' share.
      boolean full =
          left > 0
              && (2 * taken + ids[order[i + 1]].length) * slices
                  >= 2 * tokens * (result.size() + 1);
      if (left == 0 || slicesLeft > 0 && (full || left == slicesLeft)) {
        result.add(Arrays.stream(order, from, i + 1).mapToInt(Integer::intValue).toArray());
        from = i + 1;
      }
    }
    return result;
  }

  private static int count(int sequences, long tokens, int least) {
    int slices = least;
    while (slices * (long) TOKENS < tokens) {
      slices *= 2;
    }
    while (slices > sequences) {
      slices /= 2;
    }
    return slices;
  }
}
