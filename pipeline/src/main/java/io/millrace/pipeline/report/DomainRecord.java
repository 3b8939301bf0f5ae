package io.millrace.pipeline.report;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.TrainingStep;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** The steps and versions of one domain, in order and without gap. */
public final class DomainRecord {
  private final String name;
  private final List<TrainingStep> steps = new ArrayList<>();
  private final List<AdapterVersion> versions = new ArrayList<>();

  DomainRecord(String name) {
    this.name = name;
  }

  /**
   * @throws IllegalStateException where a step is missing or comes twice: exactly once is broken
   */
  void add(TrainingStep step) {
    requireNext("step", step.getStep(), steps.size() + 1L);
    steps.add(step);
  }

  /**
   * @throws IllegalStateException where a version is missing, comes twice or has another parent
   */
  void add(AdapterVersion version) {
    requireNext("version", version.getVersion(), versions.size() + 1L);
    String parent = versions.isEmpty() ? null : versions.get(versions.size() - 1).getSha256();
    if (parent != null && !parent.equals(version.getParentSha256())) {
      throw new IllegalStateException(
          "domain %s: version %d names the parent %s, the version before is %s"
              .formatted(name, version.getVersion(), version.getParentSha256(), parent));
    }
    // With many domains these would fill the memory; nothing here reads them.
    version.setPayload(ByteBuffer.allocate(0));
    version.setManifest(null);
    versions.add(version);
  }

  private void requireNext(String what, long number, long expected) {
    if (number != expected) {
      throw new IllegalStateException(
          "domain %s: %s %d follows where %d should".formatted(name, what, number, expected));
    }
  }

  /** In order. */
  public List<TrainingStep> steps() {
    return steps;
  }

  /** In order, without their payloads and manifests. */
  public List<AdapterVersion> versions() {
    return versions;
  }

  /** Those of the last version. */
  public List<String> labels() {
    return versions.isEmpty() ? List.of() : versions.get(versions.size() - 1).getLabels();
  }

  /** Per example in the order of training, whether it was predicted before it was trained on. */
  public boolean[] correct() {
    int count = steps.stream().mapToInt(step -> step.getCorrect().size()).sum();
    boolean[] correct = new boolean[count];
    int at = 0;
    for (TrainingStep step : steps) {
      for (boolean each : step.getCorrect()) {
        correct[at++] = each;
      }
    }
    return correct;
  }
}
