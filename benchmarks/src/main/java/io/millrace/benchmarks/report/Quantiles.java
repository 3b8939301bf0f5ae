package io.millrace.benchmarks.report;

import java.util.Arrays;
import java.util.Collection;

/**
 * Quantiles of measurements: the smallest measurement that the given share of them does not exceed.
 */
public record Quantiles(double[] sorted) {
  public static Quantiles of(Collection<Double> values) {
    double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    if (sorted.length == 0) {
      throw new IllegalArgumentException("no measurements");
    }
    return new Quantiles(sorted);
  }

  /**
   * @param part from 0 to 1
   */
  public double at(double part) {
    int index = (int) Math.ceil(part * sorted.length) - 1;
    return sorted[Math.max(0, Math.min(sorted.length - 1, index))];
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Quantiles that && Arrays.equals(sorted, that.sorted);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(sorted);
  }

  @Override
  public String toString() {
    return Arrays.toString(sorted);
  }
}
