package io.millrace.pipeline.chaos;

import io.millrace.pipeline.report.RunRecord;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.TrainingStep;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** The hashes of a run: of the training state after each step, and of each version. */
final class Chains implements RunRecord.Listener {
  /** One domain's, in order. */
  record Chain(List<String> steps, List<String> versions) {
    Chain() {
      this(new ArrayList<>(), new ArrayList<>());
    }
  }

  private final Map<String, Chain> domains = new TreeMap<>();

  @Override
  public void took(TrainingStep step) {
    domain(step.getDomain()).steps().add(step.getStateSha256());
  }

  @Override
  public void took(AdapterVersion version) {
    domain(version.getDomain()).versions().add(version.getSha256());
  }

  private Chain domain(String name) {
    return domains.computeIfAbsent(name, each -> new Chain());
  }

  /** By name. */
  Map<String, Chain> domains() {
    return domains;
  }

  /** Where these are not as {@code others}, a line each; empty where all are the same. */
  List<String> differences(Chains others) {
    List<String> differences = new ArrayList<>();
    Set<String> names = new TreeSet<>(domains.keySet());
    names.addAll(others.domains.keySet());
    Chain none = new Chain();
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
