package io.millrace.pipeline.report;

import io.millrace.schemas.TrainingStep;
import java.util.HashMap;
import java.util.Map;

/**
 * Prequential accuracy over equal parts of each domain's stream, domains pooled. Where a part ends
 * is known when the stream has ended: so this takes the steps once more, with the counts of the
 * first time, and nobody needs to keep them.
 */
final class AccuracyByPart {
  private final Map<String, DomainRecord> domains;
  private final Map<DomainRecord, long[]> taken = new HashMap<>();
  private final long[] right;
  private final long[] all;

  /**
   * @param domains by name, with all their steps counted
   */
  AccuracyByPart(Map<String, DomainRecord> domains, int parts) {
    this.domains = domains;
    right = new long[parts];
    all = new long[parts];
  }

  /** The steps of each domain come in order; those that the counts do not contain are ignored. */
  void add(TrainingStep step) {
    DomainRecord domain = domains.get(step.getDomain());
    if (domain == null || step.getStep() > domain.steps()) {
      return;
    }
    long[] at = taken.computeIfAbsent(domain, each -> new long[1]);
    for (boolean each : step.getCorrect()) {
      int part = part(at[0]++, domain.examples());
      right[part] += each ? 1 : 0;
      all[part]++;
    }
    if (step.getStep() == domain.steps()) {
      taken.remove(domain);
    }
  }

  /** As {@link PrequentialAccuracy} divides a stream. */
  private int part(long at, long examples) {
    int part = 0;
    while (at >= examples * (part + 1) / all.length) {
      part++;
    }
    return part;
  }

  /** From 0; 0 where that part holds no example. */
  double of(int part) {
    return all[part] == 0 ? 0 : (double) right[part] / all[part];
  }
}
