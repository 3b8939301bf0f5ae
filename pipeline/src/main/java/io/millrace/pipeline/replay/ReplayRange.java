package io.millrace.pipeline.replay;

import io.millrace.client.process.NotFoundException;
import io.millrace.client.process.UsageException;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.text.ShownText;
import java.util.List;
import java.util.Optional;

/**
 * The part of a domain's history that a replay trains again.
 *
 * @param history whose
 * @param snapshot where it starts; empty for the base model
 * @param last the version it ends at
 */
public record ReplayRange(
    DomainHistory history,
    Optional<DomainHistory.SnapshotPlace> snapshot,
    DomainHistory.Version last) {

  /** Where a replay starts. */
  public sealed interface From {
    /** The base model. */
    record Base() implements From {}

    /** The newest snapshot before the last version. */
    record NearestSnapshot() implements From {}

    /** The snapshot of a version. */
    record Snapshot(long version) implements From {}

    /** {@code 0}, {@code snapshot}, or the version whose snapshot it is. */
    static From parse(String text) {
      if (text.equals("0")) {
        return new Base();
      }
      if (text.equals("snapshot")) {
        return new NearestSnapshot();
      }
      try {
        return new Snapshot(Long.parseLong(text));
      } catch (NumberFormatException e) {
        throw new UsageException(
            "--from: \"" + text + "\" is not 0, snapshot, or a version that has a snapshot", e);
      }
    }
  }

  /**
   * @param number the version it ends at; empty for the newest
   * @param all whether every version that can be is trained again: then the nearest snapshot is the
   *     oldest
   * @throws NotFoundException where there is no such version or snapshot
   * @throws GoneException where there was such a version, which has been pruned
   */
  public static ReplayRange of(
      DomainHistory history, From from, Optional<Long> number, boolean all) {
    if (history.versions().isEmpty()) {
      throw new NotFoundException("%s has no versions".formatted(history.domain()));
    }
    long newest = history.versions().lastKey();
    long last = number.orElse(newest);
    DomainHistory.Version version = history.versions().get(last);
    if (version == null && last > 0 && last < newest) {
      throw new GoneException(
          "version %d of %s was pruned; there are %d to %d"
              .formatted(
                  last, ShownText.of(history.domain()), history.versions().firstKey(), newest));
    }
    if (version == null) {
      throw new NotFoundException(
          "%s has no version %d; it has %d to %d"
              .formatted(history.domain(), last, history.versions().firstKey(), newest));
    }
    if (version.record().getSteps() > history.lastStep()) {
      throw new UsageException(
          "the record of %s ends at step %d, version %d was published at step %d"
              .formatted(history.domain(), history.lastStep(), last, version.record().getSteps()));
    }
    return new ReplayRange(history, snapshot(history, from, last, all), version);
  }

  private static Optional<DomainHistory.SnapshotPlace> snapshot(
      DomainHistory history, From from, long last, boolean all) {
    if (from instanceof From.Base) {
      return Optional.empty();
    }
    var earlier = history.snapshots().headMap(last);
    Long wanted =
        from instanceof From.Snapshot named
            ? Long.valueOf(named.version())
            : earlier.isEmpty() ? null : all ? earlier.firstKey() : earlier.lastKey();
    DomainHistory.SnapshotPlace place = wanted == null ? null : earlier.get(wanted);
    if (place == null) {
      throw new NotFoundException(
          "--from: %s has no snapshot %sbefore version %d%s"
              .formatted(
                  history.domain(),
                  wanted == null ? "" : "of version " + wanted + " ",
                  last,
                  earlier.isEmpty() ? "" : "; there are those of " + earlier.keySet()));
    }
    return Optional.of(place);
  }

  /** The version it starts from; 0 is the base model. */
  public long from() {
    return snapshot.map(DomainHistory.SnapshotPlace::version).orElse(0L);
  }

  /** The step after which it starts; 0 is the base model. */
  long fromStep() {
    return snapshot.map(DomainHistory.SnapshotPlace::step).orElse(0L);
  }

  /** The last step to take. */
  long lastStep() {
    return last.record().getSteps();
  }

  /** The same range from another start. */
  ReplayRange startingAt(DomainHistory.SnapshotPlace other) {
    return new ReplayRange(history, Optional.of(other), last);
  }

  /** The steps to take, in order; fewer than there were where the topic lost the first ones. */
  public List<TrainingStep> steps() {
    long first = Math.max(history.firstStep(), fromStep() + 1);
    int start = Math.toIntExact(first - history.firstStep());
    int end = Math.toIntExact(last.record().getSteps() - history.firstStep() + 1);
    return start >= end ? List.of() : history.steps().subList(start, end);
  }

  /** How many examples are trained on. */
  public long examples() {
    return steps().stream().mapToLong(step -> step.getCorrect().size()).sum();
  }

  /** Of the last version's adapter, without the head. */
  public long trainableParameters() {
    return last.record().getTrainableParameters();
  }

  /** The versions it comes to, in order. */
  List<DomainHistory.Version> versions() {
    return history.versions().values().stream()
        .filter(version -> version.number() > from() && version.number() <= last.number())
        .toList();
  }
}
