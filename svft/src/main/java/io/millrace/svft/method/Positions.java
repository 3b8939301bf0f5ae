package io.millrace.svft.method;

import java.io.Serializable;
import java.util.Arrays;

/**
 * The positions of the trained values of a sparse n × n matrix M, in row-major order: value k is
 * M[rows[k]][columns[k]].
 *
 * <p>The arrays are not copied and must not be changed.
 *
 * @param rows [size], ascending
 * @param columns [size], strictly ascending within a row
 */
public record Positions(int[] rows, int[] columns) implements Serializable {

  /**
   * @throws IllegalArgumentException if the arrays differ in length, an index is negative, a
   *     position occurs twice, or the positions are not in row-major order
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
   * The positions with the given row-major indices. {@link #flat} is the inverse.
   *
   * @param flatRowMajor [size], row · n + column, strictly ascending
   * @param n rows and columns of M
   * @throws IllegalArgumentException if an index lies outside M or does not exceed the previous one
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
   * The positions with the largest scores. Among equal scores, the first in row-major order are
   * taken, so the choice depends on the scores alone. O(n² log n).
   *
   * @param scores [n, n], row-major, none negative, none NaN
   * @param n rows and columns of M
   * @param count the number of positions, from 1 to n²
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

  /** The number of positions. */
  public int size() {
    return rows.length;
  }

  /** Whether every position lies on M's diagonal. */
  public boolean isDiagonal() {
    return Arrays.equals(rows, columns);
  }

  /** The largest |column − row|; 0 if every position lies on the diagonal. */
  int bandwidth() {
    int widest = 0;
    for (int k = 0; k < size(); k++) {
      widest = Math.max(widest, Math.abs(columns[k] - rows[k]));
    }
    return widest;
  }

  /**
   * The index of each position in an array of bands [2d + 1, n], row-major, where (i, j) lies at [j
   * − i + d, i].
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
   * The row-major index row · n + column of each position, [size], ascending. {@link #of} is the
   * inverse.
   *
   * @throws IllegalArgumentException if a position lies outside n × n
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
