package io.millrace.svft.method;

import java.io.Serializable;
import java.util.Arrays;

/**
 * The places of a sparse n × n matrix M that are trained, in row-major order: trainable value k is
 * M[rows[k]][columns[k]].
 *
 * <p>The arrays are not copied; nobody may change them.
 *
 * @param rows [size], ascending
 * @param columns [size], strictly ascending within a row
 */
public record Positions(int[] rows, int[] columns) implements Serializable {

  /**
   * @throws IllegalArgumentException where the arrays differ in length, a place is negative, occurs
   *     twice or stands before one that precedes it in row-major order
   */
  public Positions {
    if (rows.length != columns.length) {
      throw new IllegalArgumentException(
          "positions have " + rows.length + " rows and " + columns.length + " columns");
    }
    for (int k = 0; k < rows.length; k++) {
      if (rows[k] < 0 || columns[k] < 0) {
        throw new IllegalArgumentException(
            "position " + k + " is (" + rows[k] + ", " + columns[k] + "): negative");
      }
      if (k > 0
          && (rows[k] < rows[k - 1] || rows[k] == rows[k - 1] && columns[k] <= columns[k - 1])) {
        throw new IllegalArgumentException(
            "position %d, (%d, %d), does not follow (%d, %d) in row-major order"
                .formatted(k, rows[k], columns[k], rows[k - 1], columns[k - 1]));
      }
    }
  }

  /**
   * The places with these row-major indices.
   *
   * @param flatRowMajor [size], row · n + column, strictly ascending
   * @param n rows and columns of M
   * @throws IllegalArgumentException where an index lies outside M or does not exceed the one
   *     before it
   */
  public static Positions of(int[] flatRowMajor, int n) {
    int[] rows = new int[flatRowMajor.length];
    int[] columns = new int[flatRowMajor.length];
    for (int k = 0; k < flatRowMajor.length; k++) {
      if (flatRowMajor[k] < 0 || flatRowMajor[k] >= (long) n * n) {
        throw new IllegalArgumentException(
            "position " + k + " is " + flatRowMajor[k] + ": outside " + n + " × " + n);
      }
      rows[k] = flatRowMajor[k] / n;
      columns[k] = flatRowMajor[k] % n;
    }
    return new Positions(rows, columns);
  }

  /**
   * The places with the largest scores. Of equal scores the one that comes first in row-major order
   * is taken first, so the choice depends on the scores alone. O(n² log n).
   *
   * @param scores [n, n], none negative, none NaN
   * @param count how many, from 1 to n²
   */
  static Positions ofLargest(double[] scores, int n, int count) {
    double[] ascending = scores.clone();
    Arrays.sort(ascending);
    double smallestTaken = ascending[ascending.length - count];
    int ties = 0;
    for (int i = ascending.length - count; i < ascending.length; i++) {
      ties += ascending[i] == smallestTaken ? 1 : 0;
    }
    int[] flat = new int[count];
    int taken = 0;
    for (int i = 0; taken < count; i++) {
      if (scores[i] > smallestTaken || scores[i] == smallestTaken && ties-- > 0) {
        flat[taken++] = i;
      }
    }
    return of(flat, n);
  }

  /** How many values of M are trained. */
  public int size() {
    return rows.length;
  }

  /** Whether every place lies on M's diagonal. */
  public boolean isDiagonal() {
    return Arrays.equals(rows, columns);
  }

  /** The largest |column − row|; 0 where there is no place off the diagonal. */
  int bandwidth() {
    int widest = 0;
    for (int k = 0; k < size(); k++) {
      widest = Math.max(widest, Math.abs(columns[k] - rows[k]));
    }
    return widest;
  }

  /**
   * [size]: each place in the matrix's diagonals laid out as [2d + 1, n], where (i, j) lies at [j −
   * i + d, i].
   *
   * @param d at least {@link #bandwidth}
   * @param n rows and columns of M
   */
  int[] inBands(int d, int n) {
    int[] places = new int[size()];
    for (int k = 0; k < places.length; k++) {
      places[k] = (columns[k] - rows[k] + d) * n + rows[k];
    }
    return places;
  }

  /**
   * [size]: row · n + column of each place, ascending; {@link #of} is the inverse.
   *
   * @throws IllegalArgumentException where a place lies outside n × n
   */
  public int[] flat(int n) {
    int[] flat = new int[rows.length];
    for (int k = 0; k < flat.length; k++) {
      if (rows[k] >= n || columns[k] >= n) {
        throw new IllegalArgumentException(
            "position %d, (%d, %d), lies outside %d × %d".formatted(k, rows[k], columns[k], n, n));
      }
      flat[k] = Math.addExact(Math.multiplyExact(rows[k], n), columns[k]);
    }
    return flat;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Positions that
        && Arrays.equals(rows, that.rows)
        && Arrays.equals(columns, that.columns);
  }

  @Override
  public int hashCode() {
    return 31 * Arrays.hashCode(rows) + Arrays.hashCode(columns);
  }

  @Override
  public String toString() {
    return "Positions[" + size() + " places]";
  }
}
