package io.millrace.benchmarks.engine;

import io.millrace.benchmarks.report.MarkdownTable;
import java.util.Collection;
import java.util.Locale;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;

/**
 * Results of {@link MatrixProductBenchmark} in GFLOP/s: a row for each shape, a column for each
 * method.
 */
public final class MatrixProductRates {
  private static final String PER_SECOND = "ops/s";

  private final MarkdownTable table = new MarkdownTable("tokens x in x out");

  /** The rates among a run's results; results of other benchmarks are ignored. */
  public static MatrixProductRates of(Collection<RunResult> results) {
    MatrixProductRates rates = new MatrixProductRates();
    for (RunResult result : results) {
      String benchmark = result.getParams().getBenchmark();
      Result<?> products = result.getPrimaryResult();
      if (benchmark.startsWith(MatrixProductBenchmark.class.getName() + ".")
          && products.getScoreUnit().equals(PER_SECOND)) {
        rates.add(result.getParams().getParam("shape"), products.getLabel(), products.getScore());
      }
    }
    return rates;
  }

  void add(String shape, String method, double productsPerSecond) {
    double rate = 1e-9 * MatrixProductShape.parse(shape).flop() * productsPerSecond;
    table.put(shape, method, String.format(Locale.ROOT, "%.0f", rate));
  }

  public boolean isEmpty() {
    return table.isEmpty();
  }

  /** A table in Markdown, with an empty cell for what was not measured. */
  @Override
  public String toString() {
    return table.toString();
  }
}
