package io.millrace.pipeline.report;

import io.millrace.pipeline.report.RunReport.StepMillis;
import org.HdrHistogram.Histogram;

/**
 * How long steps took, in a histogram of microseconds: its size depends on the longest one alone,
 * not on how many there are. Percentiles are exact to one part in a thousand.
 */
public final class StepTimes {
  private static final int DIGITS = 3;
  private static final double MICROS_IN_MILLIS = 1000;

  private final Histogram micros = new Histogram(DIGITS);

  /** One more step. */
  public void add(double millis) {
    micros.recordValue(Math.max(0, Math.round(millis * MICROS_IN_MILLIS)));
  }

  /** How many there are. */
  public long count() {
    return micros.getTotalCount();
  }

  /** Median and 99th percentile; zeros where there are no steps. */
  public StepMillis percentiles() {
    return new StepMillis(percentile(50), percentile(99));
  }

  private double percentile(double percent) {
    return micros.medianEquivalentValue(micros.getValueAtPercentile(percent)) / MICROS_IN_MILLIS;
  }
}
