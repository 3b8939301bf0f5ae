package io.millrace.operators.adapt;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/**
 * Metrics of a domain's training, under {@code domain.<name>} in Flink's metric system: {@code
 * examples}, {@code windowAccuracy} (of the last {@value #WINDOW} examples), {@code loss}, {@code
 * stepMillis}, {@code version}. Of all domains together: {@code domainsSetAside} and {@code
 * examplesSetAside}. They start again with the process.
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
    volatile double stepMillis = Double.NaN;
    volatile long version;
  }

  private final MetricGroup root;
  private final Map<String, Domain> domains = new HashMap<>();
  private final Counter domainsSetAside;
  private final Counter examplesSetAside;

  DomainMetrics(MetricGroup root) {
    this.root = root;
    domainsSetAside = root.counter("domainsSetAside");
    examplesSetAside = root.counter("examplesSetAside");
  }

  /** A domain was set aside. */
  void setAside() {
    domainsSetAside.inc();
  }

  /** Examples of domains that are set aside came to the dead letters. */
  void setAside(int examples) {
    examplesSetAside.inc(examples);
  }

  void step(String name, List<Boolean> correct, double loss, double millis) {
    Domain domain = domains.computeIfAbsent(name, this::register);
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
    domain.stepMillis = millis;
  }

  void version(String name, long version) {
    domains.computeIfAbsent(name, this::register).version = version;
  }

  private Domain register(String name) {
    Domain domain = new Domain();
    MetricGroup group = root.addGroup("domain", name);
    domain.examples = group.counter("examples");
    group.gauge("windowAccuracy", (Gauge<Double>) () -> domain.accuracy);
    group.gauge("loss", (Gauge<Double>) () -> domain.loss);
    group.gauge("stepMillis", (Gauge<Double>) () -> domain.stepMillis);
    group.gauge("version", (Gauge<Long>) () -> domain.version);
    return domain;
  }
}
