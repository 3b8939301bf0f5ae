package io.millrace.inference.dashboard;

import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.EvidenceProgress;
import io.millrace.schemas.FrozenScore;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.TrainingProgress;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/** What is known of one domain. Guarded by {@link TrackedDomains}. */
final class TrackedDomain {
  private static final int MOST_MARKS = 40;

  private static final int MOST_VERSIONS = 32;
  private static final int MOST_REASON = 200;

  /** How long a change of the stream is worth a look. */
  static final Duration DRIFT_AGE = Duration.ofMinutes(30);

  private final String name;
  private DomainHistory history = new DomainHistory();
  private Publications publications = new Publications();
  private final Deque<Mark> decisions = new ArrayDeque<>();

  /** By version, when the newest example came that it was trained on. */
  private final Map<Long, Instant> newestExamples =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, Instant> eldest) {
          return size() > MOST_VERSIONS;
        }
      };

  private Rollout rollout;
  private TrainingProgress training;
  private EvidenceProgress evidence;
  private Instant steppedAt;
  private Comparison comparison = Comparison.NONE;
  private long driftAt;

  TrackedDomain(String name) {
    this.name = name;
    this.rollout = Rollout.initial(name);
  }

  /** Takes a progress record. One that was written twice counts once. */
  void take(DomainProgress progress) {
    if (progress.getTraining() != null) {
      step(progress.getTraining(), progress.getCreatedAt());
    }
    if (progress.getEvidence() != null) {
      evidence = progress.getEvidence();
    }
  }

  private void step(TrainingProgress step, Instant createdAt) {
    if (training != null && step.getStep() <= training.getStep()) {
      if (!createdAt.isAfter(steppedAt)) {
        return;
      }
      // The job went back to a checkpoint, or began anew: what it trains on now is what counts.
      history.forgetFrom(step.getStep());
      newestExamples.keySet().removeIf(version -> version >= step.getVersion());
    }
    FrozenScore frozen = step.getFrozen();
    history.add(
        step.getStep(),
        createdAt.toEpochMilli(),
        step.getExamples(),
        count(step.getCorrect()),
        frozen == null ? Comparison.NONE : compared(step.getCorrect(), frozen.getCorrect()));
    if (frozen != null) {
      comparison =
          new Comparison(
              frozen.getComparedExamples(),
              frozen.getComparedAdapted(),
              frozen.getComparedFrozen(),
              frozen.getComparedBoth());
    } else if (step.getStep() == 1) {
      comparison = Comparison.NONE;
    }
    newestExamples.putIfAbsent(step.getVersion(), step.getNewestExampleAt());
    // They are counted; of a large batch they would take more than all the rest of the domain.
    step.setCorrect(List.of());
    step.setFrozen(null);
    training = step;
    steppedAt = createdAt;
  }

  private static int count(List<Boolean> hits) {
    return (int) hits.stream().filter(hit -> hit).count();
  }

  private static Comparison compared(List<Boolean> adapted, List<Boolean> frozen) {
    int examples = Math.min(adapted.size(), frozen.size());
    long both = IntStream.range(0, examples).filter(i -> adapted.get(i) && frozen.get(i)).count();
    return new Comparison(examples, count(adapted), count(frozen), both);
  }

  /**
   * Takes an event of the log.
   *
   * @param time by Kafka's clock
   */
  void take(RolloutEvent event, Instant time) {
    Rollout after = rollout.apply(event);
    boolean published = event.getAction() == RolloutAction.PUBLISHED;
    boolean drift = event.getAction() == RolloutAction.DRIFT;
    if (!published && !drift && after == rollout) {
      return;
    }
    rollout = after;
    if (published) {
      if (event.getVersion() != null) {
        publications.add(time.toEpochMilli(), event.getVersion().getVersion());
      }
      return;
    }
    if (drift) {
      driftAt = Math.max(driftAt, time.toEpochMilli());
    }
    if (decisions.size() == MOST_MARKS) {
      decisions.removeFirst();
    }
    decisions.addLast(
        new Mark(
            time.toEpochMilli(),
            event.getAction().name().toLowerCase(Locale.ROOT),
            event.getVersion() == null ? 0 : event.getVersion().getVersion(),
            Shortened.text(event.getAuthor(), MOST_REASON),
            Shortened.text(event.getReason(), MOST_REASON)));
  }

  void forgetProgress() {
    history = new DomainHistory();
    newestExamples.clear();
    training = null;
    evidence = null;
    steppedAt = null;
    comparison = Comparison.NONE;
  }

  void forgetRollout() {
    rollout = Rollout.initial(name);
    publications = new Publications();
    decisions.clear();
    driftAt = 0;
  }

  String name() {
    return name;
  }

  DomainHistory history() {
    return history;
  }

  Rollout rollout() {
    return rollout;
  }

  /** The last step; empty where none was reported. */
  Optional<TrainingProgress> training() {
    return Optional.ofNullable(training);
  }

  /** When the last step ended; null where none was reported. */
  Instant steppedAt() {
    return steppedAt;
  }

  /** Over all compared steps of the domain. */
  Comparison comparison() {
    return comparison;
  }

  /** When the newest example of a version came; null where that is not known any more. */
  Instant newestExampleOf(long version) {
    // A version that is published when the job ends is of no step.
    return training != null && version == training.getVersion() + 1
        ? training.getNewestExampleAt()
        : newestExamples.get(version);
  }

  /** What has come of the comparison that is under way; empty where none is. */
  Optional<EvidenceProgress> evidence() {
    VersionRef tried =
        rollout.candidate() != null
            ? rollout.candidate()
            : rollout.previous() == null ? null : rollout.stable().orElse(null);
    return Optional.ofNullable(evidence)
        .filter(
            each ->
                tried != null
                    && each.getTried() == tried.getVersion()
                    && each.getWatch() == (rollout.candidate() == null));
  }

  Publications publications() {
    return publications;
  }

  /** Decisions and notes, oldest first. */
  Iterable<Mark> decisions() {
    return decisions;
  }

  boolean hasDrifted(Instant now) {
    return driftAt > now.minus(DRIFT_AGE).toEpochMilli();
  }
}
