package io.millrace.pipeline.replay;

import io.millrace.pipeline.replay.DomainHistory.SnapshotPlace;
import io.millrace.schemas.StartVersion;
import io.millrace.schemas.text.ShownText;
import java.util.Optional;
import java.util.SortedMap;

/**
 * How far back a domain's training can be repeated. A step can, if its record is there, a manifest
 * says how it was trained, and the topic holds its examples; the first one of a domain that started
 * from another's version, if the topic holds that one. Retention deletes steps and examples from
 * the beginning of their topics, and pruning takes manifests along with versions.
 */
public final class Reach {
  private final ReplayRange range;
  private final RecordedExamples examples;

  private Reach(ReplayRange range, RecordedExamples examples) {
    this.range = range;
    this.examples = examples;
  }

  /** For the versions of a range, and of its domain. */
  public static Reach of(ReplayRange range, RecordedExamples examples) {
    return new Reach(range, examples);
  }

  /** Whether all that the range needs is there. */
  public boolean isComplete() {
    return lastGone(range.lastStep()) <= range.fromStep() && !isStartGone();
  }

  /** Whether the range begins with the first step, and what that began with is gone. */
  private boolean isStartGone() {
    return range.snapshot().isEmpty() && range.history().isStartGone();
  }

  /** The range from the earliest snapshot from which its last version can be trained again. */
  public Optional<ReplayRange> fromEarliest() {
    return earliest().map(range::startingAt);
  }

  /** The examples of the range that are not in the topic. */
  public MissingExamples missing() {
    return examples.missing(range.steps());
  }

  private Optional<SnapshotPlace> earliest() {
    long gone = lastGone(range.lastStep());
    return range.history().snapshots().headMap(range.last().number()).values().stream()
        .filter(snapshot -> snapshot.step() >= gone)
        .findFirst();
  }

  /** What is gone of the range, and what can be trained again nevertheless, in one line. */
  public String answer() {
    return gone() + instead();
  }

  private String gone() {
    DomainHistory history = range.history();
    if (history.firstStep() > range.fromStep() + 1) {
      return "the first %,d steps of %,d are no longer on record"
          .formatted(
              Math.min(history.firstStep() - 1, range.lastStep()) - range.fromStep(),
              range.lastStep() - range.fromStep());
    }
    long unknown = lastUnknown(range.lastStep());
    if (unknown > range.fromStep()) {
      return "how it was trained up to step %,d is no longer on record, because versions were pruned"
          .formatted(unknown);
    }
    long missing = missing().count();
    if (missing == 0) {
      StartVersion from = history.startedFrom().orElseThrow();
      return "it started from version %d of %s, which the topic adapters does not hold any more"
          .formatted(from.getVersion(), ShownText.of(from.getDomain()));
    }
    return "%,d of the examples are no longer in the topic".formatted(missing);
  }

  private String instead() {
    Optional<SnapshotPlace> earliest = earliest();
    if (earliest.isPresent()) {
      return "; --from snapshot starts later, --from %d as early as possible"
          .formatted(earliest.get().version());
    }
    SortedMap<Long, DomainHistory.Version> versions = range.history().versions();
    long gone = lastGone(versions.get(versions.lastKey()).record().getSteps());
    Optional<Long> start =
        range.history().snapshots().headMap(versions.lastKey()).values().stream()
            .filter(snapshot -> snapshot.step() >= gone)
            .findFirst()
            .map(SnapshotPlace::version);
    String none = "; no snapshot before version %d is late enough".formatted(range.last().number());
    return start.isEmpty()
        ? none
        : none
            + ": only versions %d to %d can be trained again, with --from %d"
                .formatted(
                    versions.tailMap(start.get() + 1).firstKey(), versions.lastKey(), start.get());
  }

  /** The last step up to one that cannot be repeated; 0 where all can. */
  private long lastGone(long last) {
    DomainHistory history = range.history();
    for (long step = last; step >= history.firstStep(); step--) {
      if (step > history.lastStep()
          || history.knownRun(step).isEmpty()
          || examples.isMissing(history.step(step))) {
        return step;
      }
    }
    return Math.min(last, history.firstStep() - 1);
  }

  private long lastUnknown(long last) {
    for (long step = last; step >= range.history().firstStep(); step--) {
      if (range.history().knownRun(step).isEmpty()) {
        return step;
      }
    }
    return 0;
  }
}
