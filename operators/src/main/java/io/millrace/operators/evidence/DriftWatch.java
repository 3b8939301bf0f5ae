package io.millrace.operators.evidence;

import io.millrace.operators.evidence.DriftDetector.Change;
import io.millrace.schemas.DriftState;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.TrainingStep;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Watches the prequential accuracy of one domain's training (each example predicted before it is
 * trained on) for a fall. A rise, as it is usual while a domain is new, gives no note.
 */
final class DriftWatch {
  private final DriftState state;
  private final List<DriftDetector> detectors = new ArrayList<>();

  /**
   * @param state as {@link #state} gave it; null for a new domain
   * @param names of the detectors to run: those of {@link Adwin} and {@link PageHinkley}
   */
  DriftWatch(DriftState state, Set<String> names) {
    this.state = state == null ? new DriftState(0L, null, null) : state;
    if (names.contains(Adwin.NAME)) {
      detectors.add(new Adwin(Adwin.DELTA, this.state.getAdwin()));
    }
    if (names.contains(PageHinkley.NAME)) {
      detectors.add(new PageHinkley(this.state.getPageHinkley()));
    }
  }

  /**
   * Processes a step. A step that was processed before is ignored.
   *
   * @return a note for each detector that found a fall
   */
  List<RolloutEvent> add(TrainingStep step) {
    if (step.getStep() <= state.getStep()) {
      return List.of();
    }
    state.setStep(step.getStep());
    // The last fall of each detector: one note a step is enough.
    Map<String, Change> falls = new TreeMap<>();
    for (DriftDetector detector : detectors) {
      for (boolean correct : step.getCorrect()) {
        detector
            .add(!correct)
            .filter(Change::worse)
            .ifPresent(change -> falls.put(detector.name(), change));
      }
    }
    List<RolloutEvent> notes = new ArrayList<>();
    falls.forEach((detector, change) -> notes.add(note(step, detector, change)));
    return notes;
  }

  /** The state of all detectors. */
  DriftState state() {
    DriftState now = new DriftState(state.getStep(), null, null);
    for (DriftDetector detector : detectors) {
      if (detector instanceof Adwin adwin) {
        now.setAdwin(adwin.state());
      } else if (detector instanceof PageHinkley pageHinkley) {
        now.setPageHinkley(pageHinkley.state());
      }
    }
    return now;
  }

  /** The same step gives the same event id, so that a reader recognizes a note written twice. */
  private static RolloutEvent note(TrainingStep step, String detector, Change change) {
    return RolloutEvent.newBuilder()
        .setEventId("%s step %d %s".formatted(step.getDomain(), step.getStep(), detector))
        .setDomain(step.getDomain())
        .setAction(RolloutAction.DRIFT)
        .setAuthor(detector)
        .setReason(
            String.format(
                Locale.ROOT,
                "accuracy fell from %.2f of %d examples to %.2f of the last %d, seen at step %d",
                1 - change.before(),
                change.examplesBefore(),
                1 - change.after(),
                change.examplesAfter(),
                step.getStep()))
        .setCreatedAt(step.getFinishedAt())
        .build();
  }
}
