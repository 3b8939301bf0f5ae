package io.millrace.operators.evidence;

import io.millrace.operators.metrics.JobMetrics;
import io.millrace.schemas.Comparison;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.rollout.Rollout;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/**
 * The counts of a domain's comparison, under {@code domain.<name>} in the group of {@link
 * JobMetrics}: {@code evidenceWins}, {@code evidenceLosses}, {@code evidenceExamples}. They are
 * zero while nothing is compared, and appear after a restart with the first examples. Of many
 * domains, the first to be compared have them. Of all domains together: {@code decisions}, by the
 * label {@code action}, and {@code drifts}; they count what was sent to the log.
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
  private final Map<RolloutAction, Counter> decisions = new EnumMap<>(RolloutAction.class);
  private final Counter drifts;

  /**
   * @param root as {@link JobMetrics#of} gives it
   * @param most domains that have metrics
   */
  EvidenceMetrics(MetricGroup root, int most) {
    this.root = root;
    this.most = most;
    for (RolloutAction action : RolloutAction.values()) {
      if (Rollout.isDecision(action)) {
        String name = action.name().toLowerCase(Locale.ROOT);
        decisions.put(action, root.addGroup("action", name).counter("decisions"));
      }
    }
    drifts = root.counter("drifts");
  }

  /** The operator decided. */
  void decided(RolloutAction action) {
    decisions.get(action).inc();
  }

  /** The operator noted a drift. */
  void drifted() {
    drifts.inc();
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
