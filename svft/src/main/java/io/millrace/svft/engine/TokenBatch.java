package io.millrace.svft.engine;

import io.millrace.svft.model.Pooling;

/**
 * Token sequences, packed: real tokens only, one sequence after the other.
 *
 * @param ids per sequence its token ids; none is empty
 */
public record TokenBatch(long[][] ids) {
  /**
   * Attention's kernels are several times slower on rows shorter than a vector register than on
   * rows that fill one: shorter sequences are laid out in as many places as this.
   */
  private static final int LEAST_PLACES = 16;

  public TokenBatch {
    for (int i = 0; i < ids.length; i++) {
      if (ids[i].length == 0) {
        throw new IllegalArgumentException("sequence " + i + " has no tokens");
      }
    }
  }

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

  /** Places per sequence in attention's padded layout. */
  int places() {
    int longest = LEAST_PLACES;
    for (long[] sequence : ids) {
      longest = Math.max(longest, sequence.length);
    }
    return longest;
  }

  /** [tokens]: all ids, packed. */
  long[] packedIds() {
    long[] packed = new long[tokens()];
    int at = 0;
    for (long[] sequence : ids) {
      System.arraycopy(sequence, 0, packed, at, sequence.length);
      at += sequence.length;
    }
    return packed;
  }

  /** [tokens]: each token's place in its own sequence. */
  long[] packedPositions() {
    long[] positions = new long[tokens()];
    int at = 0;
    for (long[] sequence : ids) {
      for (int i = 0; i < sequence.length; i++) {
        positions[at++] = i;
      }
    }
    return positions;
  }

  /**
   * [sequences · heads · places]: for each place of attention's layout the row that fills it, where
   * the packed tokens [tokens, heads · width] are seen as rows [tokens · heads, width].
   */
  long[] padFrom(int heads) {
    int places = places();
    long[] rows = new long[sequences() * heads * places];
    int start = 0;
    int at = 0;
    for (long[] sequence : ids) {
      for (int head = 0; head < heads; head++) {
        for (int i = 0; i < places; i++) {
          // Padding repeats the sequence's first row; the mask keeps it from every sum.
          long token = start + (i < sequence.length ? i : 0);
          rows[at++] = token * heads + head;
        }
      }
      start += sequence.length;
    }
    return rows;
  }

  /** [tokens · heads]: the inverse of {@link #padFrom}: for each packed row its place. */
  long[] packFrom(int heads) {
    int places = places();
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

  /** [sequences · heads, 1, places]: 0 at real tokens, a number far below any score at padding. */
  float[] maskBias(int heads) {
    int places = places();
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

  /** [sequences, tokens]: row s weighs the rows of sequence s, so that the product pools them. */
  float[] pooling(Pooling how) {
    int tokens = tokens();
    float[] weights = new float[sequences() * tokens];
    int at = 0;
    for (int s = 0; s < ids.length; s++) {
      for (int i = 0; i < ids[s].length; i++) {
        float weight =
            switch (how) {
              case MEAN -> 1f / ids[s].length;
              case FIRST_TOKEN -> i == 0 ? 1 : 0;
            };
        weights[s * tokens + at++] = weight;
      }
    }
    return weights;
  }
}
