package io.millrace.operators.evidence;

import io.millrace.schemas.Comparison;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/**
 * The counts of a domain's comparison, under {@code domain.<name>} in Flink's metric system: {@code
 * evidenceWins}, {@code evidenceLosses}, {@code evidenceExamples}. They are zero while nothing is
 * compared, and appear after a restart with the first examples. Of many domains, the first to be
 * compared have them.
 */
final class EvidenceMetrics {
  private static final class Domain {
    volatile long wins;
    volatile long losses;
    volatile long examples;
  }

  private final MetricGroup root;
  private final int most;
  private final Map<String, Domain> domains = new HashMap<>();

  /**
   * @param most domains that have metrics
   */
  EvidenceMetrics(MetricGroup root, int most) {
    this.root = root;
    this.most = most;
  }

  /**
   * @param comparison null for none
   */
  void show(String name, Comparison comparison) {
    if (!domains.containsKey(name) && (comparison == null || domains.size() >= most)) {
      return;
    }
    Domain domain = domains.computeIfAbsent(name, this::register);
    domain.wins = comparison == null ? 0 : comparison.getWins();
    domain.losses = comparison == null ? 0 : comparison.getLosses();
    domain.examples = comparison == null ? 0 : comparison.getExamples();
  }

  private Domain register(String name) {
    Domain domain = new Domain();
    MetricGroup group = root.addGroup("domain", name);
    group.gauge("evidenceWins", (Gauge<Long>) () -> domain.wins);
    group.gauge("evidenceLosses", (Gauge<Long>) () -> domain.losses);
    group.gauge("evidenceExamples", (Gauge<Long>) () -> domain.examples);
    return domain;
  }
}
