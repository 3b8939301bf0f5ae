package io.millrace.pipeline.chaos;

import io.millrace.pipeline.report.DomainRecord;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.TrainingStep;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The hashes of a run: of the training state after each step, and of each version.
 *
 * @param domains by name
 */
record Chains(Map<String, Chain> domains) {
  /** One domain's, in order. */
  record Chain(List<String> steps, List<String> versions) {}

  static Chains of(RunRecord record) {
    Map<String, Chain> chains = new TreeMap<>();
    record.domains().forEach((name, domain) -> chains.put(name, of(domain)));
    return new Chains(chains);
  }

  private static Chain of(DomainRecord domain) {
    return new Chain(
        domain.steps().stream().map(TrainingStep::getStateSha256).toList(),
        domain.versions().stream().map(AdapterVersion::getSha256).toList());
  }

  long steps() {
    return domains.values().stream().mapToLong(chain -> chain.steps().size()).sum();
  }

  long versions() {
    return domains.values().stream().mapToLong(chain -> chain.versions().size()).sum();
  }
}
