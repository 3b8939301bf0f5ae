package io.millrace.svft;

/**
 * Token sequences, packed: real tokens only, one sequence after the other.
 *
 * @param ids per sequence its token ids; none is empty
 */
record TokenBatch(long[][] ids) {
  TokenBatch {
    for (int i = 0; i < ids.length; i++) {
      if (ids[i].length == 0) {
        throw new IllegalArgumentException("sequence " + i + " has no tokens");
      }
    }
  }

  int sequences() {
    return ids.length;
  }

  int tokens() {
    int tokens = 0;
    for (long[] sequence : ids) {
      tokens += sequence.length;
    }
    return tokens;
  }

  int longest() {
    int longest = 0;
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

  /** [sequences · longest]: for each place of the padded layout the packed row that fills it. */
  long[] padFrom() {
    int longest = longest();
    long[] rows = new long[sequences() * longest];
    int start = 0;
    for (int s = 0; s < ids.length; s++) {
      for (int i = 0; i < longest; i++) {
        // Padding repeats the sequence's first row; the mask keeps it from every sum.
        rows[s * longest + i] = start + (i < ids[s].length ? i : 0);
      }
      start += ids[s].length;
    }
    return rows;
  }

  /** [tokens]: for each packed row its place in the padded layout. */
  long[] packFrom() {
    int longest = longest();
    long[] rows = new long[tokens()];
    int at = 0;
    for (int s = 0; s < ids.length; s++) {
      for (int i = 0; i < ids[s].length; i++) {
        rows[at++] = (long) s * longest + i;
      }
    }
    return rows;
  }

  /** [sequences, longest]: 0 at real tokens, a number far below any score at padding. */
  float[] maskBias() {
    int longest = longest();
    float[] bias = new float[sequences() * longest];
    for (int s = 0; s < ids.length; s++) {
      for (int i = ids[s].length; i < longest; i++) {
        bias[s * longest + i] = -1e9f;
      }
    }
    return bias;
  }

  /** [sequences, tokens]: row s averages the rows of sequence s. */
  float[] meanPooling() {
    int tokens = tokens();
    float[] weights = new float[sequences() * tokens];
    int at = 0;
    for (int s = 0; s < ids.length; s++) {
      for (int i = 0; i < ids[s].length; i++) {
        weights[s * tokens + at++] = 1f / ids[s].length;
      }
    }
    return weights;
  }
}
