package io.millrace.pipeline.chaos;

import io.millrace.pipeline.report.DomainRecord;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.TrainingStep;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

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

  /** Where these are not as {@code others}, a line each; empty where all are the same. */
  List<String> differences(Chains others) {
    List<String> differences = new ArrayList<>();
    Set<String> names = new TreeSet<>(domains.keySet());
    names.addAll(others.domains.keySet());
    Chain none = new Chain(List.of(), List.of());
    for (String name : names) {
      Chain chain = domains.getOrDefault(name, none);
      Chain other = others.domains.getOrDefault(name, none);
      difference(name + " step", chain.steps(), other.steps(), differences);
      difference(name + " version", chain.versions(), other.versions(), differences);
    }
    return differences;
  }

  private static void difference(
      String what, List<String> hashes, List<String> others, List<String> differences) {
    int both = Math.min(hashes.size(), others.size());
    for (int i = 0; i < both; i++) {
      if (!hashes.get(i).equals(others.get(i))) {
        differences.add("%s %d is another".formatted(what, i + 1));
        return;
      }
    }
    if (hashes.size() != others.size()) {
      differences.add("%ss: %d instead of %d".formatted(what, hashes.size(), others.size()));
    }
  }

  long steps() {
    return domains.values().stream().mapToLong(chain -> chain.steps().size()).sum();
  }

  long versions() {
    return domains.values().stream().mapToLong(chain -> chain.versions().size()).sum();
  }
}
