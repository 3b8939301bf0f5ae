package io.millrace.benchmarks.engine;

import io.millrace.benchmarks.report.MarkdownTable;
import io.millrace.svft.engine.EncoderBenchmark;
import io.millrace.svft.engine.StepProductsBenchmark;
import io.millrace.svft.engine.TrainingStepBenchmark;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;

/** Results of the engine's benchmarks, as tables. */
public final class EngineRates {
  private final Map<String, MarkdownTable> tables = new LinkedHashMap<>();

  /** GFLOP/s of {@link StepProductsBenchmark}, by method and number of threads. */
  private final Map<String, Double> bounds = new LinkedHashMap<>();

  /** The rates among a run's results; results of other benchmarks are ignored. */
  public static EngineRates of(Collection<RunResult> results) {
    EngineRates rates = new EngineRates();
    // Bounds are shown in the rows of other benchmarks.
    for (RunResult result : results) {
      if (is(result, StepProductsBenchmark.class)) {
        rates.bound(method(result), threads(result), perSecond(result, "flop"));
      }
    }
    for (RunResult result : results) {
      if (is(result, TrainingStepBenchmark.class)) {
        rates.step(
            result.getParams().getParam("formulation"),
            method(result),
            threads(result),
            perSecond(result, "examples"),
            perSecond(result, "tokens"),
            perSecond(result, "flop"));
      } else if (is(result, EncoderBenchmark.class)) {
        rates.embedding(
            result.getParams().getParam("encoder"),
            result.getParams().getParam("batch"),
            threads(result),
            perSecond(result, "examples"));
      } else if (is(result, SwapBenchmark.class)) {
        rates.swap(
            result.getParams().getParam("method"),
            method(result),
            result.getPrimaryResult().getScore());
      }
    }
    return rates;
  }

  private static boolean is(RunResult result, Class<?> benchmark) {
    return result.getParams().getBenchmark().startsWith(benchmark.getName() + ".");
  }

  private static String method(RunResult result) {
    String name = result.getParams().getBenchmark();
    return name.substring(name.lastIndexOf('.') + 1);
  }

  private static int threads(RunResult result) {
    return Integer.parseInt(result.getParams().getParam("threads"));
  }

  private static double perSecond(RunResult result, String counter) {
    Result<?> counted = result.getSecondaryResults().get(counter);
    return counted.getScore();
  }

  void bound(String method, int threads, double flopPerSecond) {
    bounds.put(method + threads, flopPerSecond);
    put("Products alone, GFLOP/s", "products", method, threads(threads), 1e-9 * flopPerSecond);
  }

  void step(
      String formulation,
      String method,
      int threads,
      double examplesPerSecond,
      double tokensPerSecond,
      double flopPerSecond) {
    String column = method + ", " + threads(threads);
    put("Training step, examples/s", "formulation", formulation, column, examplesPerSecond);
    if (method.equals("step")) {
      String title = "Training step with " + threads(threads);
      put(title, "formulation", formulation, "tokens/s", tokensPerSecond);
      put(title, "formulation", formulation, "GFLOP/s", 1e-9 * flopPerSecond);
      share(title, formulation, "sameProduct", threads, flopPerSecond);
      share(title, formulation, "everyProduct", threads, flopPerSecond);
    }
  }

  private void share(
      String title, String formulation, String bound, int threads, double flopPerSecond) {
    Double most = bounds.get(bound + threads);
    if (most != null) {
      String share = String.format(Locale.ROOT, "%.2f", flopPerSecond / most);
      table(title, "formulation").put(formulation, "of " + bound, share);
    }
  }

  void embedding(String encoder, String batch, int threads, double examplesPerSecond) {
    String column = "batch " + batch + ", " + threads(threads);
    put("Embeddings, texts/s", "encoder", encoder, column, examplesPerSecond);
  }

  void swap(String adapter, String method, double microseconds) {
    put("Swap, µs", "adapter", adapter, method, microseconds);
  }

  private void put(String title, String rowHead, String row, String column, double value) {
    String pattern = value < 100 ? "%.1f" : "%,.0f";
    table(title, rowHead).put(row, column, String.format(Locale.ROOT, pattern, value));
  }

  private MarkdownTable table(String title, String rowHead) {
    return tables.computeIfAbsent(title, t -> new MarkdownTable(rowHead));
  }

  private static String threads(int threads) {
    return threads == 1 ? "1 thread" : threads + " threads";
  }

  /** Tables by their titles, in Markdown. */
  public Map<String, String> tables() {
    Map<String, String> markdown = new LinkedHashMap<>();
    tables.forEach((title, table) -> markdown.put(title, table.toString()));
    return markdown;
  }
}
