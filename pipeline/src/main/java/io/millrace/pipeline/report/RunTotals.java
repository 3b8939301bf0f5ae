package io.millrace.pipeline.report;

import io.millrace.operators.gate.SimilarLabels;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.TrainingStep;
import java.time.Instant;
import java.util.Comparator;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What the steps, versions and dead letters of a run add up to. It grows with the domains, by less
 * than 200 bytes for each, and with nothing else.
 */
final class RunTotals {
  private static final int MOST_SENTENCES = 10;

  /** Steps of different domains come in no order; of equal times the first name counts. */
  private static final Comparator<FirstStep> EARLIER =
      Comparator.comparing(FirstStep::finishedAt)
          .thenComparing(FirstStep::domain)
          .thenComparing(FirstStep::step);

  private record FirstStep(Instant finishedAt, String domain, long step, int examples) {}

  private final Map<String, DomainRecord> domains = new TreeMap<>();
  private final TreeMap<String, List<String>> similarLabels = new TreeMap<>();
  private final Map<String, Long> deadLetters = new TreeMap<>();
  private final StepTimes stepTimes = new StepTimes();
  // It loses no digits over many steps, as a plain sum would.
  private final DoubleSummaryStatistics loss = new DoubleSummaryStatistics();
  private long examples;
  private long right;
  private long versions;
  private long trainableParameters;
  private FirstStep first;
  private Instant last = Instant.MIN;

  /**
   * @throws IllegalStateException where a step of the domain is missing or comes twice
   */
  void add(TrainingStep step) {
    domain(step.getDomain()).add(step);
    int size = step.getCorrect().size();
    examples += size;
    right += DomainRecord.right(step);
    loss.accept(step.getLoss() * size);
    stepTimes.add(step.getStepMillis());
    Instant finished = step.getFinishedAt();
    FirstStep one = new FirstStep(finished, step.getDomain(), step.getStep(), size);
    first = first == null || EARLIER.compare(one, first) < 0 ? one : first;
    last = finished.isAfter(last) ? finished : last;
  }

  /**
   * @throws IllegalStateException where a version of the domain is missing, comes twice or has
   *     another parent
   */
  void add(AdapterVersion version) {
    domain(version.getDomain()).add(version);
    versions++;
    trainableParameters = Math.max(trainableParameters, version.getTrainableParameters());
    noteSimilar(version);
  }

  /** A domain's labels only become more, so the last sentences about it count. */
  private void noteSimilar(AdapterVersion version) {
    List<String> sentences =
        SimilarLabels.among(version.getLabels()).stream()
            .limit(MOST_SENTENCES)
            .map(group -> SimilarLabels.say(version.getDomain(), group))
            .toList();
    if (!sentences.isEmpty()) {
      similarLabels.put(version.getDomain(), sentences);
      if (similarLabels.size() > MOST_SENTENCES) {
        similarLabels.pollLastEntry();
      }
    }
  }

  void addDeadLetter(String errorClass) {
    deadLetters.merge(errorClass, 1L, Long::sum);
  }

  private DomainRecord domain(String name) {
    return domains.computeIfAbsent(name, each -> new DomainRecord());
  }

  /** By name. */
  Map<String, DomainRecord> domains() {
    return domains;
  }

  /** Of the first domains by name, a sentence for each group of labels; a few at most. */
  List<String> similarLabels() {
    return similarLabels.values().stream().flatMap(List::stream).limit(MOST_SENTENCES).toList();
  }

  /** By error class. */
  Map<String, Long> deadLetters() {
    return deadLetters;
  }

  StepTimes stepTimes() {
    return stepTimes;
  }

  /** Examples trained on. */
  long examples() {
    return examples;
  }

  /** Of them, those predicted before. */
  long right() {
    return right;
  }

  /** Versions published. */
  long versions() {
    return versions;
  }

  /** The most that a version has. */
  long trainableParameters() {
    return trainableParameters;
  }

  /** Mean cross-entropy over examples, in nats. */
  double meanLoss() {
    return loss.getSum() / Math.max(1, examples);
  }

  /** From the end of the first step to the end of the last; 0 where they are one or none. */
  double examplesPerSecond() {
    if (stepTimes.count() < 2) {
      return 0;
    }
    long millis = last.toEpochMilli() - first.finishedAt().toEpochMilli();
    return millis == 0 ? 0 : (examples - first.examples()) * 1000.0 / millis;
  }
}
