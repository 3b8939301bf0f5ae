package io.millrace.pipeline.report;

import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A run in numbers; {@code --report} writes it as one JSON object with these names.
 *
 * @param examples examples trained on
 * @param deadLetters records and lines that could not be
 * @param deadLettersByClass the same by error class
 * @param steps training steps
 * @param versions versions published
 * @param trainableParameters values of M, the head not counted
 * @param prequentialAccuracy share of examples predicted right before they were trained on
 * @param meanLoss mean cross-entropy over examples, in nats
 * @param thirds accuracy by third of each domain's stream, domains pooled
 * @param examplesPerSecond from the end of the first step to the end of the last
 * @param trainStepMillis of the steps alone
 * @param wallSeconds of the whole command
 * @param peakRssMiB largest resident memory of the process and its children, summed
 * @param domains by name
 */
public record RunReport(
    long examples,
    long deadLetters,
    Map<String, Long> deadLettersByClass,
    long steps,
    long versions,
    long trainableParameters,
    double prequentialAccuracy,
    double meanLoss,
    List<Double> thirds,
    double examplesPerSecond,
    StepMillis trainStepMillis,
    double wallSeconds,
    long peakRssMiB,
    Map<String, Domain> domains) {
  /** A terminal shows no more lines at once. */
  private static final int MOST_SHOWN = 20;

  /** Median and 99th percentile. */
  public record StepMillis(double p50, double p99) {}

  /** One domain of a run. */
  public record Domain(
      long examples,
      long steps,
      long versions,
      long lastVersion,
      String lastSha256,
      double prequentialAccuracy) {}

  /**
   * @param wallSeconds of the whole command
   * @param peakRssMiB of the process and its children
   */
  public static RunReport of(RunRecord record, double wallSeconds, long peakRssMiB) {
    return of(record.totals(), record.thirds(), wallSeconds, peakRssMiB);
  }

  static RunReport of(RunTotals totals, List<Double> thirds, double wallSeconds, long peakRssMiB) {
    return new RunReport(
        totals.examples(),
        totals.deadLetters().values().stream().mapToLong(Long::longValue).sum(),
        totals.deadLetters(),
        totals.stepTimes().count(),
        totals.versions(),
        totals.trainableParameters(),
        share(totals.right(), totals.examples()),
        totals.meanLoss(),
        thirds,
        totals.examplesPerSecond(),
        totals.stepTimes().percentiles(),
        wallSeconds,
        peakRssMiB,
        new DomainsByName(totals.domains()));
  }

  /** Makes each domain's entry when it is asked: all of them at once would double the memory. */
  private static final class DomainsByName extends AbstractMap<String, Domain> {
    private final Map<String, DomainRecord> domains;

    DomainsByName(Map<String, DomainRecord> domains) {
      this.domains = domains;
    }

    @Override
    public Set<Entry<String, Domain>> entrySet() {
      return new AbstractSet<>() {
        @Override
        public Iterator<Entry<String, Domain>> iterator() {
          return domains.entrySet().stream()
              .map(each -> Map.entry(each.getKey(), domain(each.getValue())))
              .iterator();
        }

        @Override
        public int size() {
          return domains.size();
        }
      };
    }
  }

  private static Domain domain(DomainRecord domain) {
    return new Domain(
        domain.examples(),
        domain.steps(),
        domain.versions(),
        domain.versions(),
        domain.lastSha256(),
        share(domain.right(), domain.examples()));
  }

  private static double share(long right, long all) {
    return all == 0 ? 0 : (double) right / all;
  }

  /** A few lines for people; of many domains the first ones. */
  public List<String> lines() {
    List<String> lines = new ArrayList<>();
    lines.add(
        "%,d examples in %,d steps, %,.0f a second; step p50 %.0f ms, p99 %.0f ms"
            .formatted(
                examples, steps, examplesPerSecond, trainStepMillis.p50(), trainStepMillis.p99()));
    lines.add(
        "prequential accuracy %.4f (by third %s), mean loss %.4f, %,d trainable values beside the head"
            .formatted(
                prequentialAccuracy,
                String.join(" ", thirds.stream().map(third -> "%.3f".formatted(third)).toList()),
                meanLoss,
                trainableParameters));
    lines.add(
        deadLetters == 0
            ? "no dead letters"
            : "%,d dead letters: %s"
                .formatted(
                    deadLetters,
                    String.join(
                        ", ",
                        deadLettersByClass.entrySet().stream()
                            .map(e -> e.getValue() + " " + e.getKey())
                            .toList())));
    domains.entrySet().stream()
        .limit(MOST_SHOWN)
        .map(
            each ->
                "%s: version %d, sha256 %s"
                    .formatted(
                        each.getKey(), each.getValue().lastVersion(), each.getValue().lastSha256()))
        .forEach(lines::add);
    if (domains.size() > MOST_SHOWN) {
      lines.add(
          "and %,d more domains: --report FILE lists them all"
              .formatted(domains.size() - MOST_SHOWN));
    }
    lines.add("%.0f s in all, peak memory %,d MiB".formatted(wallSeconds, peakRssMiB));
    return lines;
  }
}
