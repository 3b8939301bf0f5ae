package io.millrace.benchmarks.domains;

import io.millrace.benchmarks.report.MarkdownTable;
import io.millrace.benchmarks.report.Quantiles;
import io.millrace.pipeline.report.RunReport;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.ToDoubleFunction;

/** What several ways to train on the same examples took, by round. */
final class DomainRates {
  private final List<Way> ways;
  private final List<List<RunReport>> rounds = new ArrayList<>();

  /**
   * Hashes of the domains' last versions, of the first run that is compared.
   *
   * <p>Null until there is one.
   */
  private Map<String, String> expected;

  private final TreeSet<String> different = new TreeSet<>();

  /**
   * @param ways the first is the one that others are compared with
   */
  DomainRates(List<Way> ways) {
    this.ways = ways;
  }

  /**
   * @param runs one for each way
   */
  void add(List<RunReport> runs) {
    rounds.add(runs);
    for (int i = 0; i < ways.size(); i++) {
      if (ways.get(i).compared()) {
        compare(lastVersions(runs.get(i)));
      }
    }
  }

  private static Map<String, String> lastVersions(RunReport run) {
    Map<String, String> versions = new TreeMap<>();
    run.domains().forEach((name, domain) -> versions.put(name, domain.lastSha256()));
    return versions;
  }

  private void compare(Map<String, String> versions) {
    if (expected == null) {
      expected = versions;
      // No version is no result, and equals nothing.
      versions.forEach(
          (domain, hash) -> {
            if (hash == null) {
              different.add(domain);
            }
          });
      return;
    }
    TreeSet<String> domains = new TreeSet<>(expected.keySet());
    domains.addAll(versions.keySet());
    for (String domain : domains) {
      if (!Objects.equals(expected.get(domain), versions.get(domain))) {
        different.add(domain);
      }
    }
  }

  /** The domains of the runs that are compared. */
  int domains() {
    return expected == null ? 0 : expected.size();
  }

  /** Those that did not end with the same version in all runs that are compared, by name. */
  List<String> different() {
    return List.copyOf(different);
  }

  /** The median over the rounds of a way's rate, as a part of the first way's in that round. */
  double ratio(int way) {
    List<Double> ratios = new ArrayList<>();
    for (List<RunReport> round : rounds) {
      ratios.add(round.get(way).examplesPerSecond() / round.get(0).examplesPerSecond());
    }
    return Quantiles.of(ratios).at(0.5);
  }

  private double median(int way, ToDoubleFunction<RunReport> value) {
    return Quantiles.of(rounds.stream().map(round -> value.applyAsDouble(round.get(way))).toList())
        .at(0.5);
  }

  /** A table in Markdown: a row for each way, with the medians of its rounds. */
  @Override
  public String toString() {
    MarkdownTable table = new MarkdownTable("training");
    for (int way = 0; way < ways.size(); way++) {
      String row = ways.get(way).name();
      put(table, row, "examples/s", "%,.1f", median(way, RunReport::examplesPerSecond));
      put(table, row, "ratio", "%.2f", ratio(way));
      put(table, row, "steps", "%,.0f", median(way, RunReport::steps));
      put(table, row, "ms per step, p50", "%.1f", median(way, run -> run.trainStepMillis().p50()));
      put(table, row, "p99", "%.1f", median(way, run -> run.trainStepMillis().p99()));
      put(table, row, "peak memory, MiB", "%,.0f", median(way, RunReport::peakRssMiB));
    }
    return table.toString();
  }

  private static void put(
      MarkdownTable table, String row, String column, String format, double value) {
    table.put(row, column, String.format(Locale.ROOT, format, value));
  }
}
