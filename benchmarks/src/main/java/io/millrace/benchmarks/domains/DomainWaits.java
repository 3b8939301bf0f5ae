package io.millrace.benchmarks.domains;

import io.millrace.benchmarks.report.MarkdownTable;
import io.millrace.benchmarks.report.Quantiles;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;

/**
 * How long closed batches wait for their steps, by how often their domains come.
 *
 * @param domains of the stream; the first comes most often, the last most rarely
 * @param batches in any order
 */
record DomainWaits(int domains, List<Batch> batches) {
  /** How many times as long as the middle domains the rare ones may wait. */
  static final double MOST = 2;

  private static final double RARE = 0.99;

  /**
   * A batch that was full and has trained.
   *
   * @param domain its number, from 0
   * @param millis from the append of its last example to the end of its step
   */
  record Batch(int domain, double millis) {}

  /** The 99th percentile of the rarer half of the domains, over that of the tenth in the middle. */
  double toTheMiddle() {
    return of(this::isOfRarerHalf).at(RARE) / of(this::isOfTheMiddle).at(RARE);
  }

  /** The 99th percentile of the rarer half of the domains, in medians of all batches. */
  double toTheMedian() {
    return of(this::isOfRarerHalf).at(RARE) / of(all -> true).at(0.5);
  }

  private boolean isOfTheMiddle(Batch batch) {
    int first = (domains - tenth()) / 2;
    return batch.domain() >= first && batch.domain() < first + tenth();
  }

  private int tenth() {
    return Math.max(1, domains / 10);
  }

  private boolean isOfRarerHalf(Batch batch) {
    return batch.domain() >= domains / 2;
  }

  private Quantiles of(Predicate<Batch> wanted) {
    return Quantiles.of(batches.stream().filter(wanted).map(Batch::millis).toList());
  }

  /** A table in Markdown. */
  @Override
  public String toString() {
    MarkdownTable table = new MarkdownTable("domains");
    put(table, "all", all -> true);
    put(table, "the tenth that comes most often", batch -> batch.domain() < tenth());
    put(table, "the tenth in the middle", this::isOfTheMiddle);
    put(table, "the half that comes more rarely", this::isOfRarerHalf);
    put(table, "the tenth that comes most rarely", batch -> batch.domain() >= domains - tenth());
    return table.toString();
  }

  private void put(MarkdownTable table, String row, Predicate<Batch> wanted) {
    List<Batch> some = new ArrayList<>(batches);
    some.removeIf(wanted.negate());
    table.put(row, "batches", String.format(Locale.ROOT, "%,d", some.size()));
    if (!some.isEmpty()) {
      Quantiles waits = of(wanted);
      table.put(row, "p50, ms", String.format(Locale.ROOT, "%,.0f", waits.at(0.5)));
      table.put(row, "p99, ms", String.format(Locale.ROOT, "%,.0f", waits.at(RARE)));
      table.put(row, "max, ms", String.format(Locale.ROOT, "%,.0f", waits.at(1)));
    }
  }
}
