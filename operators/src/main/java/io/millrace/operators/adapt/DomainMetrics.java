package io.millrace.operators.adapt;

import io.millrace.operators.metrics.JobMetrics;
import io.millrace.schemas.FrozenScore;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/**
 * Metrics of a domain's training, under {@code domain.<name>} in the group of {@link JobMetrics}:
 * {@code examples}, {@code windowAccuracy} (of the last {@value #WINDOW} examples), {@code loss},
 * {@code stepSeconds}, {@code version}, and the totals of the comparison with the frozen model,
 * {@code comparedExamples}, {@code comparedAdapted}, {@code comparedFrozen}. Of all domains
 * together: these three, {@code examples}, {@code steps}, {@code groups} (of steps that were taken
 * together), {@code versions}, {@code domainsSetAside}, {@code examplesSetAside}, {@code
 * domainsForgotten} and {@code lastStepTimestampSeconds}. They start again with the process.
 *
 * <p>Of many domains, the first to train have metrics of their own: a name that comes once would
 * otherwise take memory here, and a series in every system that collects them, for good.
 */
final class DomainMetrics {
  /** Examples in the accuracy window. */
  static final int WINDOW = 500;

  private static final class Domain {
    final ArrayDeque<Boolean> window = new ArrayDeque<>();
    int correct;
    Counter examples;
    volatile double accuracy = Double.NaN;
    volatile double loss = Double.NaN;
    volatile double stepSeconds = Double.NaN;
    volatile long version;
    volatile long comparedExamples;
    volatile long comparedAdapted;
    volatile long comparedFrozen;
  }

  private final MetricGroup root;
  private final Map<String, Domain> domains = new HashMap<>();
  private final int most;
  private final Counter examples;
  private final Counter steps;
  private final Counter groups;
  private final Counter versions;
  private final Counter domainsForgotten;
  private final Counter domainsSetAside;
  private final Counter examplesSetAside;
  private final JobMetrics.Last lastStep;
  private final Counter comparedExamples;
  private final Counter comparedAdapted;
  private final Counter comparedFrozen;

  /**
   * @param root as {@link JobMetrics#of} gives it
   * @param most domains that have metrics of their own
   */
  DomainMetrics(MetricGroup root, int most) {
    this.root = root;
    this.most = most;
    examples = root.counter("examples");
    steps = root.counter("steps");
    groups = root.counter("groups");
    versions = root.counter("versions");
    domainsForgotten = root.counter("domainsForgotten");
    domainsSetAside = root.counter("domainsSetAside");
    examplesSetAside = root.counter("examplesSetAside");
    comparedExamples = root.counter("comparedExamples");
    comparedAdapted = root.counter("comparedAdapted");
    comparedFrozen = root.counter("comparedFrozen");
    lastStep = JobMetrics.last(root, "lastStepTimestampSeconds");
  }

  /** A domain was set aside. */
  void setAside() {
    domainsSetAside.inc();
  }

  /** Examples of domains that are set aside came to the dead letters. */
  void setAside(int examples) {
    examplesSetAside.inc(examples);
  }

  /** A domain was dropped from state. */
  void forgotten() {
    domainsForgotten.inc();
  }

  /** Several domains, or one, took their steps together. */
  void group() {
    groups.inc();
  }

  void step(String name, List<Boolean> correct, double loss, double millis) {
    steps.inc();
    lastStep.now();
    examples.inc(correct.size());
    domain(name).ifPresent(domain -> step(domain, correct, loss, millis));
  }

  private static void step(Domain domain, List<Boolean> correct, double loss, double millis) {
    for (boolean each : correct) {
      domain.window.addLast(each);
      domain.correct += each ? 1 : 0;
      if (domain.window.size() > WINDOW) {
        domain.correct -= domain.window.removeFirst() ? 1 : 0;
      }
    }
    domain.examples.inc(correct.size());
    domain.accuracy = (double) domain.correct / domain.window.size();
    domain.loss = loss;
    domain.stepSeconds = millis / 1e3;
  }

  /**
   * A step was compared with the frozen model.
   *
   * @param adapted per example, whether the adapted model was right
   */
  void compared(String name, List<Boolean> adapted, FrozenScore frozen) {
    comparedExamples.inc(adapted.size());
    comparedAdapted.inc(Collections.frequency(adapted, true));
    comparedFrozen.inc(Collections.frequency(frozen.getCorrect(), true));
    domain(name)
        .ifPresent(
            domain -> {
              domain.comparedExamples = frozen.getComparedExamples();
              domain.comparedAdapted = frozen.getComparedAdapted();
              domain.comparedFrozen = frozen.getComparedFrozen();
            });
  }

  void version(String name, long version) {
    versions.inc();
    domain(name).ifPresent(domain -> domain.version = version);
  }

  private Optional<Domain> domain(String name) {
    return domains.size() < most
        ? Optional.of(domains.computeIfAbsent(name, this::register))
        : Optional.ofNullable(domains.get(name));
  }

  private Domain register(String name) {
    Domain domain = new Domain();
    MetricGroup group = root.addGroup("domain", name);
    domain.examples = group.counter("examples");
    group.gauge("windowAccuracy", (Gauge<Double>) () -> domain.accuracy);
    group.gauge("loss", (Gauge<Double>) () -> domain.loss);
    group.gauge("stepSeconds", (Gauge<Double>) () -> domain.stepSeconds);
    group.gauge("comparedExamples", (Gauge<Long>) () -> domain.comparedExamples);
    group.gauge("comparedAdapted", (Gauge<Long>) () -> domain.comparedAdapted);
    group.gauge("comparedFrozen", (Gauge<Long>) () -> domain.comparedFrozen);
    group.gauge("version", (Gauge<Long>) () -> domain.version);
    return domain;
  }
}
