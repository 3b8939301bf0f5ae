package io.millrace.svft.engine;

import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.Pooling;

/**
 * A batch of token sequences, packed: real tokens only, one sequence after the other.
 *
 * @param ids the token ids of each sequence; none is empty
 */
public record TokenBatch(long[][] ids) {
  /**
   * The least number of places per sequence in the padded layout. The kernels of attention are
   * several times slower on rows that do not fill a vector register.
   */
  private static final int LEAST_PLACES = 16;

  /**
   * @throws IllegalArgumentException if a sequence is empty
   */
  public TokenBatch {
    for (int i = 0; i < ids.length; i++) {
      if (ids[i].length == 0) {
        throw new IllegalArgumentException("sequence " + i + " has no tokens");
      }
    }
  }

  /** The number of sequences. */
  public int sequences() {
    return ids.length;
  }

  int tokens() {
    int tokens = 0;
    for (long[] sequence : ids) {
      tokens += sequence.length;
    }
    return tokens;
  }

  /** The number of places per sequence in attention's padded layout. */
  int places() {
    int longest = LEAST_PLACES;
    for (long[] sequence : ids) {
      longest = Math.max(longest, sequence.length);
    }
    return longest;
  }

  /**
   * All ids, packed, [rows]. Rows beyond the tokens belong to no sequence.
   *
   * @param rows at least {@link #tokens}
   */
  long[] packedIds(int rows) {
    long[] packed = new long[rows];
    int at = 0;
    for (long[] sequence : ids) {
      System.arraycopy(sequence, 0, packed, at, sequence.length);
      at += sequence.length;
    }
    return packed;
  }

  /**
   * The row of the position embedding for each token, [rows]. Rows count the tokens of a sequence
   * from {@link EncoderConfig#positionOffset}. A family with a padding row counts the tokens that
   * are not padding, and every padding token has that row, wherever it stands.
   */
  long[] packedPositions(EncoderConfig config, int rows) {
    // Token ids are never negative.
    long padding = config.paddingRow().orElse(-1);
    long[] positions = new long[rows];
    int at = 0;
    for (long[] sequence : ids) {
      long next = config.positionOffset();
      for (long id : sequence) {
        positions[at++] = id == padding ? padding : next++;
      }
    }
    return positions;
  }

  /**
   * For each place of attention's layout the packed row that fills it, [sequences · heads ·
   * places]. The rows are those of the packed tokens [tokens, heads · width] viewed as [tokens ·
   * heads, width].
   */
  long[] padFrom(int heads, int places) {
    long[] rows = new long[sequences() * heads * places];
    int start = 0;
    int at = 0;
    for (long[] sequence : ids) {
      for (int head = 0; head < heads; head++) {
        for (int i = 0; i < places; i++) {
          // Padding repeats the sequence's first row. The mask excludes it from every sum.
          long token = start + (i < sequence.length ? i : 0);
          rows[at++] = token * heads + head;
        }
      }
      start += sequence.length;
    }
    return rows;
  }

  /**
   * For each packed row its place in attention's layout, [tokens · heads]: the inverse of {@link
   * #padFrom}.
   */
  long[] packFrom(int heads, int places) {
    long[] rows = new long[tokens() * heads];
    int at = 0;
    for (int s = 0; s < ids.length; s++) {
      for (int i = 0; i < ids[s].length; i++) {
        for (int head = 0; head < heads; head++) {
          rows[at++] = ((long) s * heads + head) * places + i;
        }
      }
    }
    return rows;
  }

  /**
   * The mask of attention, [sequences · heads, 1, places]: 0 at real tokens, far below any score at
   * padding.
   */
  float[] maskBias(int heads, int places) {
    float[] bias = new float[sequences() * heads * places];
    int at = 0;
    for (long[] sequence : ids) {
      for (int head = 0; head < heads; head++) {
        for (int i = 0; i < places; i++) {
          bias[at++] = i < sequence.length ? 0 : -1e9f;
        }
      }
    }
    return bias;
  }

  /**
   * The pooling weights, [sequences, rows]: row s holds the weights of the tokens of sequence s.
   * The product with the hidden states [rows, hidden] is the pooled vectors.
   */
  float[] pooling(Pooling how, int rows) {
    float[] weights = new float[sequences() * rows];
    int at = 0;
    for (int s = 0; s < ids.length; s++) {
      for (int i = 0; i < ids[s].length; i++) {
        float weight =
            switch (how) {
              case MEAN -> 1f / ids[s].length;
              case FIRST_TOKEN -> i == 0 ? 1 : 0;
            };
        weights[s * rows + at++] = weight;
      }
    }
    return weights;
  }
}
