package io.millrace.pipeline.report;

import io.millrace.schemas.TrainingStep;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

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
  public record StepMillis(double p50, double p99) {
    /** Of steps that took that long, in any order; zeros where there are none. */
    public static StepMillis of(double[] millis) {
      double[] sorted = millis.clone();
      Arrays.sort(sorted);
      return new StepMillis(percentile(sorted, 0.5), percentile(sorted, 0.99));
    }

    private static double percentile(double[] sorted, double share) {
      return sorted.length == 0 ? 0 : sorted[(int) Math.ceil(share * sorted.length) - 1];
    }
  }

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
    Collection<DomainRecord> domains = record.domains().values();
    List<TrainingStep> steps =
        domains.stream()
            .flatMap(domain -> domain.steps().stream())
            .sorted(Comparator.comparing(TrainingStep::getFinishedAt))
            .toList();
    Map<String, Domain> byName = new LinkedHashMap<>();
    record.domains().forEach((name, domain) -> byName.put(name, domain(domain)));
    return new RunReport(
        record.examples(),
        record.deadLetters().values().stream().mapToLong(Long::longValue).sum(),
        record.deadLetters(),
        steps.size(),
        domains.stream().mapToLong(domain -> domain.versions().size()).sum(),
        domains.stream()
            .flatMap(domain -> domain.versions().stream())
            .mapToLong(version -> version.getTrainableParameters())
            .max()
            .orElse(0),
        accuracy(domains, 0, 1),
        steps.stream().mapToDouble(s -> s.getLoss() * s.getCorrect().size()).sum()
            / Math.max(1, record.examples()),
        List.of(accuracy(domains, 0, 3), accuracy(domains, 1, 3), accuracy(domains, 2, 3)),
        examplesPerSecond(steps),
        StepMillis.of(steps.stream().mapToDouble(TrainingStep::getStepMillis).toArray()),
        wallSeconds,
        peakRssMiB,
        byName);
  }

  private static Domain domain(DomainRecord domain) {
    var versions = domain.versions();
    var last = versions.isEmpty() ? null : versions.get(versions.size() - 1);
    return new Domain(
        domain.correct().length,
        domain.steps().size(),
        versions.size(),
        last == null ? 0 : last.getVersion(),
        last == null ? null : last.getSha256(),
        accuracy(List.of(domain), 0, 1));
  }

  /** Accuracy over the given part of each domain's stream. */
  private static double accuracy(Collection<DomainRecord> domains, int part, int parts) {
    return PrequentialAccuracy.of(
        domains.stream().map(DomainRecord::correct).toList(), part, parts);
  }

  private static double examplesPerSecond(List<TrainingStep> steps) {
    if (steps.size() < 2) {
      return 0;
    }
    TrainingStep first = steps.get(0);
    TrainingStep last = steps.get(steps.size() - 1);
    long millis = last.getFinishedAt().toEpochMilli() - first.getFinishedAt().toEpochMilli();
    long examples = steps.stream().skip(1).mapToLong(step -> step.getCorrect().size()).sum();
    return millis == 0 ? 0 : examples * 1000.0 / millis;
  }

  /** A few lines for people; of many domains the first ones. */
  public List<String> lines() {
    List<String> lines = new ArrayList<>();
    lines.add(
        "%,d examples in %,d steps, %,.0f a second; step p50 %.0f ms, p99 %.0f ms"
            .formatted(
                examples, steps, examplesPerSecond, trainStepMillis.p50(), trainStepMillis.p99()));
    lines.add(
        "prequential accuracy %.4f (by third %s), mean loss %.4f, %,d trainable values in M"
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
