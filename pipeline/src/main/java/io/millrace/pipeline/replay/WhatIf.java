package io.millrace.pipeline.replay;

import io.millrace.client.process.UsageException;
import io.millrace.operators.adapt.DomainTrainer;
import io.millrace.operators.adapt.InitFrom;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.settings.RecordedSettings;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.text.ShownText;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.training.NonFiniteStepException;
import io.millrace.svft.training.TrainingSettings;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Trains over a domain's recorded batches with other settings. Nothing is published. */
public final class WhatIf {
  /**
   * The scores of both settings over the same batches.
   *
   * @param domain whose batches
   * @param settings that differ from those on record, by key
   * @param instead of what: the recorded settings under the same keys
   * @param recorded how the record did
   * @param replayed how the other settings did
   * @param trainableParameters of the other settings' adapter, without the head
   * @param firstDifferentStep the first step with another state than on record; 0 where none has
   * @param examplesPerSecond from the end of the first step to that of the last
   */
  public record Result(
      String domain,
      Map<String, String> settings,
      Map<String, String> instead,
      Score recorded,
      Score replayed,
      long trainableParameters,
      long firstDifferentStep,
      double examplesPerSecond) {}

  private WhatIf() {}

  /**
   * Whether these changes change anything in a part of a history.
   *
   * @param changes by key, as {@link RecordedSettings#within} gives them
   */
  public static boolean changes(ReplayRange range, Map<String, String> changes) {
    return range.steps().stream()
        .map(step -> range.history().run(step.getStep()).getSettings())
        .distinct()
        .anyMatch(settings -> !RecordedSettings.changed(settings, changes).equals(settings));
  }

  /**
   * Trains with them.
   *
   * @throws UsageException where another adapter is to go on from a snapshot, or to start from a
   *     version of a domain above that does not fit, or that nobody has recorded
   * @throws MissingExamplesException where examples are missing
   */
  public static Result run(
      TrainingLog log,
      ReplayRange range,
      Map<String, String> changes,
      RecordedExamples examples,
      TrainerSource trainers,
      DomainReplay.Listener listener) {
    MissingExamples missing = examples.missing(range.steps());
    if (missing.count() > 0) {
      throw new MissingExamplesException(missing);
    }
    DomainHistory history = range.history();
    DomainState state = null;
    DomainTrainer trainer = null;
    Map<String, String> changed = new TreeMap<>();
    Map<String, String> instead = new TreeMap<>();
    List<Boolean> correct = new ArrayList<>();
    double loss = 0;
    long firstDifferent = 0;
    StepRate rate = new StepRate();
    for (TrainingStep recorded : range.steps()) {
      Map<String, String> settings = history.run(recorded.getStep()).getSettings();
      TreeMap<String, String> others = RecordedSettings.changed(settings, changes);
      others.forEach(
          (key, value) -> {
            if (!value.equals(settings.get(key))) {
              changed.put(key, value);
              instead.put(key, settings.getOrDefault(key, "none"));
            }
          });
      trainer = trainers.trainer(history.baseModel(), others);
      if (state == null) {
        state = start(log, range, trainer, others);
      }
      int count = recorded.getCorrect().size();
      try {
        TrainingStep step =
            trainer.step(
                history.domain(),
                state,
                examples.read(recorded.getBatch()),
                recorded.getClosedBy());
        correct.addAll(step.getCorrect());
        loss += step.getLoss() * count;
        if (firstDifferent == 0 && !step.getStateSha256().equals(recorded.getStateSha256())) {
          firstDifferent = recorded.getStep();
        }
      } catch (NonFiniteStepException e) {
        throw new IllegalStateException(
            "with these settings step %d of %s fails: %s"
                .formatted(recorded.getStep(), history.domain(), e.getMessage()),
            e);
      }
      rate.step(count);
      listener.trained(rate.examples());
    }
    return new Result(
        history.domain(),
        changed,
        instead,
        Score.of(range.steps()),
        Score.of(correct, loss),
        trainer == null ? 0 : trainer.publish(history.domain(), state).getTrainableParameters(),
        firstDifferent,
        rate.perSecond());
  }

  private static DomainState startFromAbove(
      TrainingLog log, DomainHistory history, DomainTrainer trainer) {
    if (history.startedFrom().isEmpty()) {
      InitFrom recorded = RecordedSettings.initFrom(history.run(1).getSettings());
      if (recorded.kind() == InitFrom.Kind.PARENT) {
        return trainer.initialState();
      }
      throw new UsageException(
          "%s started from the base model: which version of a domain above it could have started from is not on record"
              .formatted(ShownText.of(history.domain())));
    }
    AdapterVersion from = log.start(history);
    try {
      return trainer.initialState(from);
    } catch (AdapterException e) {
      throw new UsageException(
          "%s started from version %d of %s, which does not fit here: %s; --set %s=base starts from the base model"
              .formatted(
                  ShownText.of(history.domain()),
                  from.getVersion(),
                  ShownText.of(from.getDomain()),
                  e.getMessage(),
                  JobSettings.INIT_FROM.key()),
          e);
    }
  }

  private static DomainState startFromPeft(
      DomainHistory history, DomainTrainer trainer, InitFrom from) {
    try {
      return trainer.initialState(trainer.peft(from));
    } catch (AdapterException e) {
      throw new UsageException(
          "%s cannot start from the adapter of PEFT in %s here: %s; --set %s=base starts from the base model"
              .formatted(
                  ShownText.of(history.domain()),
                  ShownText.of(from.directory()),
                  e.getMessage(),
                  JobSettings.INIT_FROM.key()),
          e);
    }
  }

  private static DomainState start(
      TrainingLog log, ReplayRange range, DomainTrainer trainer, Map<String, String> settings) {
    if (range.snapshot().isEmpty()) {
      InitFrom from = RecordedSettings.initFrom(settings);
      return switch (from.kind()) {
        case BASE -> trainer.initialState();
        case PARENT -> startFromAbove(log, range.history(), trainer);
        case PEFT -> startFromPeft(range.history(), trainer, from);
      };
    }
    TrainingSettings training = RecordedSettings.training(settings);
    DomainState state = log.snapshot(range.snapshot().get()).getState();
    if (!state.getMethod().equals(training.method().spec())) {
      throw new UsageException(
          "the snapshot holds a state of %s, which %s cannot go on with: leave --from out"
              .formatted(state.getMethod(), training.method().spec()));
    }
    return state;
  }
}
