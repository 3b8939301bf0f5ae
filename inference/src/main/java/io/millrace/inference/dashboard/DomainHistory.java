package io.millrace.inference.dashboard;

import java.time.Duration;
import java.util.Arrays;

/**
 * How a domain's steps went over time, in points of one or more consecutive steps each. When all
 * points are taken, neighbours are merged, so a longer time is held in the same memory; what is
 * older than a day is left out.
 */
final class DomainHistory {
  /** Points at most; each takes 40 bytes. */
  static final int MOST = 180;

  static final Duration AGE = Duration.ofDays(1);
  private static final int FIRST = 12;

  private static final int EXAMPLES = 0;
  private static final int CORRECT = 1;
  private static final int COMPARED = 2;
  private static final int ADAPTED = 3;
  private static final int FROZEN = 4;
  private static final int BOTH = 5;
  private static final int COLUMNS = 6;

  /** When the last step of each point ended, in milliseconds since 1970. */
  private long[] times = new long[FIRST];

  /** The last step of each point. */
  private long[] steps = new long[FIRST];

  /** Sums over the steps of each point. */
  private final int[][] sums = new int[COLUMNS][FIRST];

  private int size;

  /** Steps that make a point. */
  private int grain = 1;

  private int stepsInLast;

  /**
   * Adds a step.
   *
   * @param compared of the same examples; none where they were not compared
   */
  void add(long step, long time, int examples, int correct, Comparison compared) {
    forgetOlder(time - AGE.toMillis());
    if (size == 0 || stepsInLast >= grain) {
      if (size == MOST) {
        merge();
      }
      if (size == 0 || stepsInLast >= grain) {
        begin();
      }
    }
    int last = size - 1;
    times[last] = time;
    steps[last] = step;
    stepsInLast++;
    sums[EXAMPLES][last] += examples;
    sums[CORRECT][last] += correct;
    sums[COMPARED][last] += (int) compared.examples();
    sums[ADAPTED][last] += (int) compared.adapted();
    sums[FROZEN][last] += (int) compared.frozen();
    sums[BOTH][last] += (int) compared.both();
  }

  private void begin() {
    if (size == times.length) {
      int length = Math.min(MOST, size * 2);
      times = Arrays.copyOf(times, length);
      steps = Arrays.copyOf(steps, length);
      for (int i = 0; i < COLUMNS; i++) {
        sums[i] = Arrays.copyOf(sums[i], length);
      }
    }
    for (int[] column : sums) {
      column[size] = 0;
    }
    size++;
    stepsInLast = 0;
  }

  /** Makes one point of each two. The last one is of fewer steps where their number is odd. */
  private void merge() {
    int merged = 0;
    for (int i = 0; i < size; i += 2) {
      int last = Math.min(i + 1, size - 1);
      times[merged] = times[last];
      steps[merged] = steps[last];
      for (int[] column : sums) {
        column[merged] = last == i ? column[i] : column[i] + column[last];
      }
      merged++;
    }
    stepsInLast = size % 2 == 0 ? grain * 2 : stepsInLast;
    size = merged;
    grain *= 2;
  }

  /** Forgets a step and what came after it: it is taken again, from a checkpoint or from anew. */
  void forgetFrom(long step) {
    while (size > 0 && steps[size - 1] >= step) {
      size--;
    }
    stepsInLast = grain;
    if (size == 0) {
      grain = 1;
    }
  }

  private void forgetOlder(long time) {
    int old = 0;
    while (old < size && times[old] < time) {
      old++;
    }
    if (old == 0) {
      return;
    }
    size -= old;
    if (size == 0) {
      grain = 1;
    }
    System.arraycopy(times, old, times, 0, size);
    System.arraycopy(steps, old, steps, 0, size);
    for (int[] column : sums) {
      System.arraycopy(column, old, column, 0, size);
    }
  }

  int size() {
    return size;
  }

  long time(int point) {
    return times[point];
  }

  long step(int point) {
    return steps[point];
  }

  int examples(int point) {
    return sums[EXAMPLES][point];
  }

  int correct(int point) {
    return sums[CORRECT][point];
  }

  Comparison comparison(int point) {
    return new Comparison(
        sums[COMPARED][point], sums[ADAPTED][point], sums[FROZEN][point], sums[BOTH][point]);
  }

  /**
   * The share of the newest examples that the adapted model predicted, as many points as hold at
   * least {@code examples}; NaN where there are none.
   */
  double accuracy(int examples) {
    long seen = 0;
    long right = 0;
    for (int i = size - 1; i >= 0 && seen < examples; i--) {
      seen += sums[EXAMPLES][i];
      right += sums[CORRECT][i];
    }
    return seen == 0 ? Double.NaN : (double) right / seen;
  }

  /** The newest compared examples, as many points as hold at least {@code examples}. */
  Comparison latest(int examples) {
    Comparison latest = Comparison.NONE;
    for (int i = size - 1; i >= 0 && latest.examples() < examples; i--) {
      latest = latest.plus(comparison(i));
    }
    return latest;
  }

  /**
   * All examples of the points that {@link #latest} is over. The frozen model has learnt from the
   * compared ones among them alone.
   */
  long latestTrained(int examples) {
    long trained = 0;
    long compared = 0;
    for (int i = size - 1; i >= 0 && compared < examples; i--) {
      compared += sums[COMPARED][i];
      trained += sums[EXAMPLES][i];
    }
    return trained;
  }

  /**
   * The accuracy in so many parts of the points, oldest first: a small picture.
   *
   * @return fewer where there are fewer points
   */
  double[] outline(int parts) {
    int count = Math.min(parts, size);
    double[] outline = new double[count];
    for (int part = 0; part < count; part++) {
      long seen = 0;
      long right = 0;
      for (int i = part * size / count; i < (part + 1) * size / count; i++) {
        seen += sums[EXAMPLES][i];
        right += sums[CORRECT][i];
      }
      outline[part] = seen == 0 ? 0 : (double) right / seen;
    }
    return outline;
  }
}
