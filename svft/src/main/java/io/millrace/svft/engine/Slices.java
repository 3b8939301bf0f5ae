package io.millrace.svft.engine;

import io.millrace.svft.tensor.BatchLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Divides a batch for several threads: sorts it by sequence length and cuts it into slices of about
 * the same number of tokens. The cut depends on the batch alone, not on the number of threads. The
 * results of the slices are summed in the order of the slices, so the bits of the sum do not depend
 * on the number of threads either.
 *
 * <p>Sequences of similar length in one slice keep the padding in attention small.
 */
public final class Slices {
  /**
   * The tokens of a slice, above which a batch is cut further. Matrix products of smaller slices do
   * not reach the machine's full speed.
   */
  private static final int TOKENS = 192;

  /** The least number of tokens that are worth a thread of their own. */
  private static final int LEAST_TOKENS = 48;

  private Slices() {}

  /** The number of tokens of all sequences. */
  static int tokens(long[][] ids) {
    int tokens = 0;
    for (long[] sequence : ids) {
      tokens += sequence.length;
    }
    return tokens;
  }

  /**
   * Divides a batch into segments.
   *
   * @param ids the token ids of each sequence
   * @return the indices of the sequences of each segment
   */
  public static List<int[]> segments(long[][] ids, BatchLayout layout) {
    boolean whole = layout == BatchLayout.SEGMENTS && tokens(ids) < 2 * LEAST_TOKENS;
    return of(ids, whole ? 1 : 2);
  }

  /**
   * Divides a batch into at least two slices, since most machines have more than one core.
   *
   * @param ids the token ids of each sequence
   * @return the indices of the sequences of each slice; the number of slices is a power of two
   */
  public static List<int[]> of(long[][] ids) {
    return of(ids, 2);
  }

  /**
   * Divides a batch into slices.
   *
   * @param ids the token ids of each sequence
   * @param least the smallest number of slices, a power of two; there are fewer only if there are
   *     fewer sequences
   * @return the indices of the sequences of each slice; the number of slices is a power of two
   */
  public static List<int[]> of(long[][] ids, int least) {
    Integer[] order = new Integer[ids.length];
    for (int i = 0; i < ids.length; i++) {
      order[i] = i;
    }
    long tokens = tokens(ids);
    Arrays.sort(order, Comparator.comparingInt(i -> ids[i].length));
    int slices = count(ids.length, tokens, least);
    List<int[]> result = new ArrayList<>();
    int from = 0;
    long taken = 0;
    for (int i = 0; i < order.length; i++) {
      taken += ids[order[i]].length;
      int left = order.length - i - 1;
      int slicesLeft = slices - result.size() - 1;
      // Cuts where the tokens taken are closest to the share of the slices so far.
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
