package io.millrace.svft.training;

import io.millrace.svft.tensor.Floats;
import java.util.Arrays;

/**
 * What the head takes from the mean vector of each label, besides what the optimizer trains: a
 * linear discriminant with a diagonal covariance. The mean of a label is known with its first
 * example and follows a shift within some hundred, while AdamW moves every value of a row by about
 * its rate.
 *
 * <p>All sums are decayed: an example counts {@value #DECAY} times as much with each one after it.
 * The row of a label with the mean m, among vectors with the mean μ and the variances s², is {@code
 * share / hidden · (m − μ) / s²}, times n / (n + {@value #PRIOR}) for its n examples; its bias
 * makes μ score zero. Rows are independent of the scale of the vectors.
 *
 * @param share what the rows count in the head; 0 without them
 * @param sums [labels, hidden + 1]: per label the sum of its vectors, then the sum of their weights
 * @param squares [hidden]: the sum of the squares of all vectors
 */
public record ClassMeans(float share, float[] sums, float[] squares) {
  /** None: the head is what the optimizer trains. */
  public static final ClassMeans NONE = new ClassMeans(0, new float[0], new float[0]);

  private static final double DECAY = 0.997;
  private static final double PRIOR = 4;

  /** Of the mean variance: vectors that hardly vary in one place say nothing by it. */
  private static final double LEAST_VARIANCE = 0.01;

  /** Whether there are any. */
  public boolean present() {
    return share != 0;
  }

  /**
   * The rows that are added to those of the head, [labels, hidden + 1].
   *
   * @param labels the number of labels; rows of labels without an example are zero
   */
  float[] rows(int labels) {
    int hidden = squares.length;
    int row = hidden + 1;
    float[] rows = new float[labels * row];
    double[] mean = new double[hidden];
    double total = 0;
    for (int from = 0; from < sums.length; from += row) {
      for (int i = 0; i < hidden; i++) {
        mean[i] += sums[from + i];
      }
      total += sums[from + hidden];
    }
    double[] variance = new double[hidden];
    double meanVariance = 0;
    for (int i = 0; i < hidden; i++) {
      mean[i] /= total;
      variance[i] = Math.max(0, squares[i] / total - mean[i] * mean[i]);
      meanVariance += variance[i] / hidden;
    }
    if (!(meanVariance > 0)) {
      return rows;
    }
    for (int from = 0; from < sums.length; from += row) {
      double count = sums[from + hidden];
      if (count > 0) {
        double scale = share / hidden * (count / (count + PRIOR));
        double bias = 0;
        for (int i = 0; i < hidden; i++) {
          double spread = Math.max(variance[i], LEAST_VARIANCE * meanVariance);
          double weight = scale * (sums[from + i] / count - mean[i]) / spread;
          rows[from + i] = (float) weight;
          bias -= weight * mean[i];
        }
        rows[from + hidden] = (float) bias;
      }
    }
    return rows;
  }

  /**
   * These means after a batch.
   *
   * @param share of the settings; 0 gives {@link #NONE}
   * @param vectors [examples, hidden], as the head got them
   * @param targets [examples, labels], row-major: the weight of each example at its label, 1 on
   *     average
   */
  ClassMeans after(float share, float[][] vectors, float[] targets) {
    if (share == 0) {
      return NONE;
    }
    int hidden = vectors[0].length;
    int row = hidden + 1;
    int labels = targets.length / vectors.length;
    double kept = StrictMath.pow(DECAY, vectors.length);
    double[] sum = decayed(sums, labels * row, kept);
    double[] square = decayed(squares, hidden, kept);
    for (int e = 0; e < vectors.length; e++) {
      for (int label = 0; label < labels; label++) {
        double weight = targets[e * labels + label];
        if (weight != 0) {
          for (int i = 0; i < hidden; i++) {
            double value = vectors[e][i];
            sum[label * row + i] += weight * value;
            square[i] += weight * value * value;
          }
          sum[label * row + hidden] += weight;
        }
      }
    }
    return new ClassMeans(share, floats(sum), floats(square));
  }

  private static double[] decayed(float[] values, int size, double kept) {
    double[] decayed = new double[size];
    for (int i = 0; i < values.length; i++) {
      decayed[i] = values[i] * kept;
    }
    return decayed;
  }

  private static float[] floats(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  boolean allFinite() {
    return Floats.allFinite(sums) && Floats.allFinite(squares);
  }

  /** The share, the squares and the sums as one array; empty if there are none. */
  public float[] toArray() {
    if (!present()) {
      return new float[0];
    }
    float[] all = new float[1 + squares.length + sums.length];
    all[0] = share;
    System.arraycopy(squares, 0, all, 1, squares.length);
    System.arraycopy(sums, 0, all, 1 + squares.length, sums.length);
    return all;
  }

  /**
   * The inverse of {@link #toArray}.
   *
   * @param hidden width of the encoder
   */
  public static ClassMeans of(float[] all, int hidden) {
    return all.length == 0
        ? NONE
        : new ClassMeans(
            all[0],
            Arrays.copyOfRange(all, 1 + hidden, all.length),
            Arrays.copyOfRange(all, 1, 1 + hidden));
  }
}
