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
 * Watches one domain's training for a fall of its accuracy, example by example, each predicted
 * before it is trained on. Where it rises, as it does while a domain is new, nothing is said.
 */
public final class DriftWatch {
  private final DriftState state;
  private final List<DriftDetector> detectors = new ArrayList<>();

  /**
   * @param state as {@link #state} gave it; null for a beginning
   * @param names of the detectors to run: those of {@link Adwin} and {@link PageHinkley}
   */
  public DriftWatch(DriftState state, Set<String> names) {
    this.state = state == null ? new DriftState(0L, null, null) : state;
    if (names.contains(Adwin.NAME)) {
      detectors.add(new Adwin(Adwin.DELTA, this.state.getAdwin()));
    }
    if (names.contains(PageHinkley.NAME)) {
      detectors.add(new PageHinkley(this.state.getPageHinkley()));
    }
  }

  /**
   * Takes a step in. One that it has seen already is left out.
   *
   * @return a note for each detector that found a fall
   */
  public List<RolloutEvent> add(TrainingStep step) {
    if (step.getStep() <= state.getStep()) {
      return List.of();
    }
    state.setStep(step.getStep());
    // By detector, the last: one note a step is enough.
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

  /** All that it knows. */
  public DriftState state() {
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

  /** The same step gives the same note, so that one written twice can be told. */
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
