package io.millrace.benchmarks.recording;

import io.millrace.benchmarks.report.MarkdownTable;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;

/** Results of {@link RecordingBenchmark}, compared with the time of a step. */
public final class RecordingCost {
  private static final String STEP = "step";
  private static final String RECORDED_STEP = "recordedStep";

  /**
   * The rows in order. {@code record} measures the cost precisely; the difference between the two
   * steps above it is of the size of their noise.
   */
  private static final List<String> ROWS = List.of(STEP, RECORDED_STEP, "record", "stateHash");

  private final Map<String, Double> millis = new LinkedHashMap<>();

  /** The costs among a run's results; results of other benchmarks are ignored. */
  public static RecordingCost of(Collection<RunResult> results) {
    RecordingCost cost = new RecordingCost();
    String prefix = RecordingBenchmark.class.getName() + ".";
    for (RunResult result : results) {
      String benchmark = result.getParams().getBenchmark();
      Result<?> time = result.getPrimaryResult();
      if (benchmark.startsWith(prefix) && time.getScoreUnit().equals("ms/op")) {
        cost.put(benchmark.substring(prefix.length()), time.getScore());
      }
    }
    return cost;
  }

  void put(String method, double millisPerStep) {
    millis.put(method, millisPerStep);
  }

  public boolean isEmpty() {
    return millis.isEmpty();
  }

  /** A table in Markdown, with the cost of each row as a share of a step. */
  @Override
  public String toString() {
    MarkdownTable table = new MarkdownTable("");
    Double step = millis.get(STEP);
    for (String row : ROWS) {
      Double time = millis.get(row);
      if (time == null) {
        continue;
      }
      table.put(row, "ms a step", String.format(Locale.ROOT, time < 10 ? "%.3f" : "%.1f", time));
      if (step != null && !row.equals(STEP)) {
        double added = row.equals(RECORDED_STEP) ? time - step : time;
        table.put(
            row, "added to a step", String.format(Locale.ROOT, "%.2f %%", 100 * added / step));
      }
    }
    return table.toString();
  }
}
