package io.millrace.benchmarks.replay;

import io.millrace.benchmarks.report.MarkdownTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** Rates of training and of its replay, by round. */
final class ReplayRates {
  /**
   * @param training examples per second
   * @param replay examples per second
   * @param same whether every version came out with the hash on record
   */
  private record Round(double training, double replay, boolean same) {}

  private final List<Round> rounds = new ArrayList<>();

  void add(ReportedRate training, ReportedRate replay, boolean same) {
    rounds.add(new Round(training.perSecond(), replay.perSecond(), same));
  }

  /** Whether every version had the same hash in every round. */
  boolean same() {
    return rounds.stream().allMatch(Round::same);
  }

  /** The median replay's rate over the median training's. */
  double ratio() {
    return median(Round::replay) / median(Round::training);
  }

  private double median(ToDoubleFunction<Round> rate) {
    double[] sorted = rounds.stream().mapToDouble(rate).sorted().toArray();
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  /** A table in Markdown: a row for each round, then the medians. */
  @Override
  public String toString() {
    MarkdownTable table = new MarkdownTable("round");
    for (int i = 0; i < rounds.size(); i++) {
      Round round = rounds.get(i);
      String versions = round.same() ? "the same" : "NOT the same";
      put(table, Integer.toString(i + 1), round.training(), round.replay());
      table.put(Integer.toString(i + 1), "versions", versions);
    }
    put(table, "median", median(Round::training), median(Round::replay));
    return table.toString();
  }

  private static void put(MarkdownTable table, String row, double training, double replay) {
    table.put(row, "training, examples/s", String.format(Locale.ROOT, "%.1f", training));
    table.put(row, "replay, examples/s", String.format(Locale.ROOT, "%.1f", replay));
    table.put(row, "replay / training", String.format(Locale.ROOT, "%.2f", replay / training));
  }
}
