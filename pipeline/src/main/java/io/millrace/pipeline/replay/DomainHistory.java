package io.millrace.pipeline.replay;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Manifest;
import io.millrace.schemas.StartVersion;
import io.millrace.schemas.TrainingRun;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.signing.PayloadHash;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The steps, versions and snapshots of one domain in the topics. If a domain was restarted without
 * its state, it counts from step 1 again, and only its last training is its history.
 */
public final class DomainHistory {
  /**
   * A version, without its payload.
   *
   * @param record as it was published, the payload left out
   * @param payload hash of the payload that the record held
   */
  record Version(AdapterVersion record, PayloadHash payload) {
    long number() {
      return record.getVersion();
    }

    Optional<Manifest> manifest() {
      return Optional.ofNullable(record.getManifest());
    }
  }

  /**
   * The place of a snapshot.
   *
   * @param version that was published from it
   * @param step the last step in it
   */
  record SnapshotPlace(long version, long step, int partition, long offset) {}

  /** The place in the topic {@code adapters} of the version that the first step began with. */
  record StartPlace(int partition, long offset) {}

  private final String domain;
  private final List<TrainingStep> steps = new ArrayList<>();
  private final TreeMap<Long, Version> versions = new TreeMap<>();
  private final TreeMap<Long, SnapshotPlace> snapshots = new TreeMap<>();
  private StartPlace start;

  DomainHistory(String domain) {
    this.domain = domain;
  }

  /**
   * @throws IllegalStateException where a step is missing or comes twice: exactly once is broken
   */
  void add(TrainingStep step) {
    if (step.getStep() == 1) {
      steps.clear();
    } else if (!steps.isEmpty() && step.getStep() != lastStep() + 1) {
      throw new IllegalStateException(
          "the record of %s is broken: step %d follows step %d"
              .formatted(domain, step.getStep(), lastStep()));
    }
    steps.add(step);
  }

  void add(Version version) {
    if (version.number() == 1) {
      versions.clear();
    }
    versions.put(version.number(), version);
  }

  /** A version that was pruned. */
  void remove(long version) {
    versions.remove(version);
  }

  void add(SnapshotPlace snapshot) {
    if (!snapshots.isEmpty() && snapshot.version() <= snapshots.lastKey()) {
      snapshots.clear();
    }
    snapshots.put(snapshot.version(), snapshot);
  }

  public String domain() {
    return domain;
  }

  /** Whether a version of it is there. */
  public boolean hasVersions() {
    return !versions.isEmpty();
  }

  /**
   * The version of a domain above that the first step began with, as the manifests say; empty where
   * it was the base model, or no manifest is left.
   */
  Optional<StartVersion> startedFrom() {
    return versions.isEmpty()
        ? Optional.empty()
        : versions.lastEntry().getValue().manifest().map(Manifest::getStartedFrom);
  }

  /** Notes where the topic has the version that {@link #startedFrom} names. */
  void add(StartPlace place) {
    start = place;
  }

  /** Where that version stands; empty where the topic does not hold it any more. */
  Optional<StartPlace> start() {
    return Optional.ofNullable(start);
  }

  /** Whether the first step cannot be taken again, because what it began with is gone. */
  boolean isStartGone() {
    return startedFrom().isPresent() && start == null;
  }

  /** Whether steps of it are on record, and no version any more. */
  public boolean isPruned() {
    return versions.isEmpty() && !steps.isEmpty();
  }

  /** Steps taken up to a version that is there. */
  long stepsOf(long version) {
    return versions.get(version).record().getSteps();
  }

  /** Name of the base model; the domain has a version. */
  String baseModel() {
    return versions.firstEntry().getValue().record().getBaseModel();
  }

  /** Those the topic still holds, in order and without gap. */
  List<TrainingStep> steps() {
    return steps;
  }

  /** The first step that the topic still holds; 1 unless the first ones are gone. */
  long firstStep() {
    return steps.isEmpty() ? 1 : steps.get(0).getStep();
  }

  long lastStep() {
    return steps.isEmpty() ? 0 : steps.get(steps.size() - 1).getStep();
  }

  /** The record of a step from {@link #firstStep} to {@link #lastStep}. */
  TrainingStep step(long number) {
    return steps.get(Math.toIntExact(number - firstStep()));
  }

  /** By number. */
  SortedMap<Long, Version> versions() {
    return versions;
  }

  /** By the version that was published from it. */
  SortedMap<Long, SnapshotPlace> snapshots() {
    return snapshots;
  }

  /** The first version with that step in it; 0 where there is none yet. */
  long versionOf(long step) {
    return versions.values().stream()
        .filter(version -> version.record().getSteps() >= step)
        .mapToLong(Version::number)
        .findFirst()
        .orElse(0);
  }

  /**
   * The run that a step belonged to, by the manifest of the version it led to.
   *
   * @throws IllegalStateException where no manifest tells
   */
  TrainingRun run(long step) {
    return knownRun(step)
        .orElseThrow(
            () ->
                new IllegalStateException(
                    "no manifest says how step %d of %s was trained: its version was pruned, or"
                            .formatted(step, domain)
                        + " published before there were manifests"));
  }

  /** The same; empty where no manifest tells. */
  Optional<TrainingRun> knownRun(long step) {
    return versions.values().stream()
        .filter(version -> version.record().getSteps() >= step)
        .findFirst()
        .flatMap(Version::manifest)
        .flatMap(
            manifest ->
                manifest.getRuns().stream()
                    .filter(run -> run.getFirstStep() <= step)
                    .max(Comparator.comparingLong(TrainingRun::getFirstStep)));
  }
}
