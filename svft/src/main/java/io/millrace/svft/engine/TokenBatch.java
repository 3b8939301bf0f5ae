package io.millrace.svft.engine;

import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.tensor.BatchLayout;
import io.millrace.svft.tensor.Kernels;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A slice of token sequences, packed: real tokens only, one sequence after the other, and one
 * segment after the other.
 *
 * @param layout decides the sizes to which attention pads, and how sequences are pooled
 * @param segments at least one; with the layout {@link BatchLayout#SLICES} exactly one
 * @param leastRows the least number of rows, of which those beyond the tokens are of no use; the
 *     layout {@link BatchLayout#SLICES} adds none
 */
public record TokenBatch(BatchLayout layout, List<Segment> segments, int leastRows) {
  /**
   * The least number of places per sequence in the padded layout. The kernels of attention are
   * several times slower on rows that do not fill a vector register.
   */
  private static final int LEAST_PLACES = 16;

  /** The numbers of places in attention's padded layout; above, multiples of the last one. */
  private static final int[] PLACES = {LEAST_PLACES, 32, 48, 64, 96, 128};

  /**
   * The least number of rows in a training step. With fewer, products have kernels of their own,
   * which give other bits: up to 3 in MKL's code for AMD, 15 in that for Intel's AVX-512, and 64 in
   * that for AVX2.
   */
  public static final int TRAINING_ROWS = 72;

  /** The least number of rows in a prediction, where time counts for more than the last bit. */
  public static final int PREDICTION_ROWS = 16;

  /**
   * Sequences whose gradients are summed together.
   *
   * @param ids the token ids of each sequence; none is empty
   * @param adapter the index of their adapter
   */
  public record Segment(long[][] ids, int adapter) {

    /**
     * @throws IllegalArgumentException if a sequence is empty
     */
    public Segment {
      for (int i = 0; i < ids.length; i++) {
        if (ids[i].length == 0) {
          throw new IllegalArgumentException("sequence " + i + " has no tokens");
        }
      }
    }

    /** The number of tokens of all sequences. */
    public int tokens() {
      return Slices.tokens(ids);
    }
  }

  /**
   * Sequences of one size in attention's padded layout.
   *
   * @param places per sequence
   * @param sequences their indices among all sequences, ascending
   */
  record SizeClass(int places, List<Integer> sequences) {}

  /** Sequences of one adapter as one segment. */
  public TokenBatch(long[][] ids) {
    this(BatchLayout.SEGMENTS, List.of(new Segment(ids, 0)), PREDICTION_ROWS);
  }

  /** Sequences of one adapter, padded to the longest of them. */
  static TokenBatch slice(long[][] ids) {
    return new TokenBatch(BatchLayout.SLICES, List.of(new Segment(ids, 0)), 0);
  }

  /** The number of sequences. */
  public int sequences() {
    return segments.stream().mapToInt(each -> each.ids().length).sum();
  }

  int tokens() {
    return segments.stream().mapToInt(Segment::tokens).sum();
  }

  /** The number of rows: at least the tokens. Rows beyond them belong to no sequence. */
  int rows(Kernels kernels) {
    int tokens = tokens();
    return kernels.rows(layout == BatchLayout.SLICES ? tokens : Math.max(leastRows, tokens));
  }

  /** All sequences, in their order. */
  long[][] ids() {
    return segments.stream().flatMap(each -> List.of(each.ids()).stream()).toArray(long[][]::new);
  }

  /** The classes of sequences in attention's padded layout, in its order. */
  List<SizeClass> classes(Kernels kernels) {
    long[][] ids = ids();
    int longest = 0;
    for (long[] sequence : ids) {
      longest = Math.max(longest, sequence.length);
    }
    SortedMap<Integer, List<Integer>> byPlaces = new TreeMap<>();
    for (int i = 0; i < ids.length; i++) {
      int places =
          layout == BatchLayout.SLICES ? Math.max(LEAST_PLACES, longest) : places(ids[i].length);
      byPlaces.computeIfAbsent(kernels.places(places), key -> new ArrayList<>()).add(i);
    }
    List<SizeClass> classes = new ArrayList<>();
    byPlaces.forEach((places, sequences) -> classes.add(new SizeClass(places, sequences)));
    return classes;
  }

  /** The number of places of a sequence in the layout {@link BatchLayout#SEGMENTS}. */
  static int places(int tokens) {
    for (int places : PLACES) {
      if (tokens <= places) {
        return places;
      }
    }
    int last = PLACES[PLACES.length - 1];
    return (tokens + last - 1) / last * last;
  }

  /** The first row of each segment, and the row after the last segment. */
  long[] rowCuts(Kernels kernels) {
    long[] cuts = new long[segments.size() + 1];
    for (int s = 0; s < segments.size(); s++) {
      cuts[s + 1] = cuts[s] + segments.get(s).tokens();
    }
    if (layout == BatchLayout.SLICES) {
      cuts[segments.size()] = rows(kernels);
    }
    return cuts;
  }

  /** The first sequence of each segment, and the number of all sequences. */
  long[] sequenceCuts() {
    long[] cuts = new long[segments.size() + 1];
    for (int s = 0; s < segments.size(); s++) {
      cuts[s + 1] = cuts[s] + segments.get(s).ids().length;
    }
    return cuts;
  }

  /** The index of each segment's adapter. */
  long[] owners() {
    return segments.stream().mapToLong(Segment::adapter).toArray();
  }

  /** The index of each row's adapter, [rows]. */
  long[] adapters(int rows) {
    long[] adapters = new long[rows];
    int at = 0;
    for (Segment segment : segments) {
      int end = at + segment.tokens();
      while (at < end) {
        adapters[at++] = segment.adapter();
      }
    }
    return adapters;
  }

  /** All ids, packed, [rows]. */
  long[] packedIds(int rows) {
    long[] packed = new long[rows];
    int at = 0;
    for (long[] sequence : ids()) {
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
    for (long[] sequence : ids()) {
      long next = config.positionOffset();
      for (long id : sequence) {
        positions[at++] = id == padding ? padding : next++;
      }
    }
    return positions;
  }

  /**
   * For each place of attention's layout the packed row that fills it, [sequences · heads ·
   * places], class after class. The rows are those of the packed tokens [tokens, heads · width]
   * viewed as [tokens · heads, width].
   */
  long[] padFrom(int heads, List<SizeClass> classes) {
    long[][] ids = ids();
    int[] starts = starts(ids);
    long[] rows = new long[places(classes) * heads];
    int at = 0;
    for (SizeClass each : classes) {
      for (int s : each.sequences()) {
        for (int head = 0; head < heads; head++) {
          for (int i = 0; i < each.places(); i++) {
            // Padding repeats the sequence's first row. The mask excludes it from every sum.
            long token = starts[s] + (i < ids[s].length ? i : 0);
            rows[at++] = token * heads + head;
          }
        }
      }
    }
    return rows;
  }

  /**
   * For each packed row its place in attention's layout, [tokens · heads]: the inverse of {@link
   * #padFrom}.
   */
  long[] packFrom(int heads, List<SizeClass> classes) {
    long[][] ids = ids();
    int[] starts = starts(ids);
    long[] rows = new long[tokens() * heads];
    int place = 0;
    for (SizeClass each : classes) {
      for (int s : each.sequences()) {
        for (int i = 0; i < ids[s].length; i++) {
          for (int head = 0; head < heads; head++) {
            rows[(starts[s] + i) * heads + head] = place + (long) head * each.places() + i;
          }
        }
        place += heads * each.places();
      }
    }
    return rows;
  }

  /**
   * The mask of attention, [sequences · heads · places], class after class: 0 at real tokens, far
   * below any score at padding.
   */
  float[] maskBias(int heads, List<SizeClass> classes) {
    long[][] ids = ids();
    float[] bias = new float[places(classes) * heads];
    int at = 0;
    for (SizeClass each : classes) {
      for (int s : each.sequences()) {
        for (int head = 0; head < heads; head++) {
          for (int i = 0; i < each.places(); i++) {
            bias[at++] = i < ids[s].length ? 0 : -1e9f;
          }
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
    long[][] ids = ids();
    float[] weights = new float[ids.length * rows];
    int at = 0;
    for (int s = 0; s < ids.length; s++) {
      for (int i = 0; i < ids[s].length; i++) {
        weights[s * rows + at++] = weight(how, ids[s], i);
      }
    }
    return weights;
  }

  /** The weight of each place's token in its sequence's vector, [places]: 0 at padding. */
  float[] placeWeights(Pooling how, List<SizeClass> classes) {
    long[][] ids = ids();
    float[] weights = new float[places(classes)];
    int at = 0;
    for (SizeClass each : classes) {
      for (int s : each.sequences()) {
        for (int i = 0; i < ids[s].length; i++) {
          weights[at + i] = weight(how, ids[s], i);
        }
        at += each.places();
      }
    }
    return weights;
  }

  /** For each sequence its index among the classes' sequences, [sequences]. */
  long[] placeOfSequence(List<SizeClass> classes) {
    long[] order = new long[sequences()];
    int at = 0;
    for (SizeClass each : classes) {
      for (int s : each.sequences()) {
        order[s] = at++;
      }
    }
    return order;
  }

  /** For each row the sequence that it belongs to, [rows]; 0 for a row that belongs to none. */
  long[] sequenceOfRow(int rows) {
    long[] sequences = new long[rows];
    int at = 0;
    int s = 0;
    for (long[] sequence : ids()) {
      for (int i = 0; i < sequence.length; i++) {
        sequences[at++] = s;
      }
      s++;
    }
    return sequences;
  }

  /** The weight of each row in its sequence's vector, [rows]; 0 for a row that belongs to none. */
  float[] rowWeights(Pooling how, int rows) {
    float[] weights = new float[rows];
    int at = 0;
    for (long[] sequence : ids()) {
      for (int i = 0; i < sequence.length; i++) {
        weights[at++] = weight(how, sequence, i);
      }
    }
    return weights;
  }

  private static float weight(Pooling how, long[] sequence, int i) {
    return switch (how) {
      case MEAN -> 1f / sequence.length;
      case FIRST_TOKEN -> i == 0 ? 1 : 0;
    };
  }

  /** The first packed row of each sequence. */
  private static int[] starts(long[][] ids) {
    int[] starts = new int[ids.length];
    for (int s = 1; s < ids.length; s++) {
      starts[s] = starts[s - 1] + ids[s - 1].length;
    }
    return starts;
  }

  private static int places(List<SizeClass> classes) {
    return classes.stream().mapToInt(each -> each.places() * each.sequences().size()).sum();
  }
}
