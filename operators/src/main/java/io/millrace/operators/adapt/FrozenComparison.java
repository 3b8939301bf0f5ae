package io.millrace.operators.adapt;

import io.millrace.operators.model.SharedModel;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.FrozenScore;
import io.millrace.schemas.FrozenState;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.text.ShownText;
import io.millrace.svft.method.HeadOnly;
import io.millrace.svft.training.StepResult;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingSettings;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells whether adapting is worth it: the frozen base model, with a trained head of its own,
 * answers the same examples beside the adapted model.
 *
 * <p>A pass of the frozen model takes about a quarter of a step. So a share of the time is set
 * aside for it, and a step is compared while some of that is left. A job that keeps up with its
 * stream compares every step; one that catches up compares some. The frozen head then trains on
 * fewer labels than the adapted model and does worse than it could, which is why the totals of
 * compared and of all examples go on record together.
 *
 * <p>Which steps are compared may depend on the clock, and nothing of it on the training state: it
 * has a state of its own, and what it computes is only reported. A comparison that fails is left
 * out.
 *
 * <p>Methods apply to the domain that is Flink's current key. For the task's thread.
 */
final class FrozenComparison implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(FrozenComparison.class);

  private final AdaptSettings settings;
  private final TimeShare time;
  private final SharedModel.Lease model;
  private final Map<TrainingSettings, Trainer> trainers = new HashMap<>();
  private final ValueState<FrozenState> states;

  private FrozenComparison(
      AdaptSettings settings,
      ValueState<FrozenState> states,
      LongSupplier clock,
      SharedModel.Lease model) {
    this.settings = settings;
    this.states = states;
    this.time = new TimeShare(settings.frozenShare(), clock);
    this.model = model;
  }

  /**
   * Loads the base model, unless this process holds it already.
   *
   * @param clock in nanoseconds
   * @return empty where nothing is to be compared, or the model cannot be loaded beside the one
   *     that trains
   * @throws IOException where the store cannot be read
   */
  static Optional<FrozenComparison> open(
      AdaptSettings settings, RuntimeContext context, LongSupplier clock) throws IOException {
    if (settings.frozenShare() == 0) {
      return Optional.empty();
    }
    ValueState<FrozenState> states =
        context.getState(
            new ValueStateDescriptor<>("frozen", new AvroTypeInfo<>(FrozenState.class)));
    try {
      SharedModel.Lease model =
          SharedModel.open(
              settings.modelStore(),
              settings.modelName(),
              settings.device().of(context),
              new HeadOnly().factored(),
              settings.device().kernels());
      return Optional.of(new FrozenComparison(settings, states, clock, model));
    } catch (RuntimeException | OutOfMemoryError e) {
      // The base model that trains is loaded; a device may have no memory for another one.
      LOG.warn(
          "nothing is compared with the frozen model, which cannot be loaded; training goes on, and"
              + " progress.frozenShare=0 does without it",
          e);
      return Optional.empty();
    }
  }

  /**
   * Compares a step that was taken, where there is time.
   *
   * @param batch what it trained on
   * @param step what the adapted model made of it
   * @return how the frozen model did; empty where the step is not compared
   */
  Optional<FrozenScore> compare(String domain, List<ReceivedExample> batch, TrainingStep step)
      throws IOException {
    if (!time.isLeft()) {
      return Optional.empty();
    }
    try {
      return Optional.of(score(domain, batch, step));
    } catch (RuntimeException | OutOfMemoryError e) {
      if (Thread.currentThread().isInterrupted()) {
        throw e;
      }
      LOG.warn(
          "{}: step {} is not compared with the frozen model: {}",
          ShownText.of(domain),
          step.getStep(),
          ShownText.of(String.valueOf(e.getMessage())));
      return Optional.empty();
    } finally {
      time.spend();
    }
  }

  private FrozenScore score(String domain, List<ReceivedExample> batch, TrainingStep step)
      throws IOException {
    Trainer trainer =
        trainers.computeIfAbsent(
            settings.domains().of(domain).training().ofHeadAlone(),
            alone -> new Trainer(model.base(), alone, settings.threads()));
    FrozenState state = states.value();
    if (state == null) {
      state =
          new FrozenState(
              DomainStates.initial(model.base(), trainer.initialState()), 0L, 0L, 0L, 0L);
    }
    DomainState head = state.getHead();
    StepResult result =
        trainer.step(DomainStates.read(head, model.base()), DomainTrainer.examples(batch));
    DomainStates.write(result.state(), head);
    List<Boolean> correct = new ArrayList<>();
    for (int i = 0; i < batch.size(); i++) {
      boolean frozen = result.correct()[i];
      boolean adapted = step.getCorrect().get(i);
      correct.add(frozen);
      state.setComparedAdapted(state.getComparedAdapted() + (adapted ? 1 : 0));
      state.setComparedFrozen(state.getComparedFrozen() + (frozen ? 1 : 0));
      state.setComparedBoth(state.getComparedBoth() + (adapted && frozen ? 1 : 0));
    }
    state.setComparedExamples(state.getComparedExamples() + batch.size());
    states.update(state);
    return FrozenScore.newBuilder()
        .setCorrect(correct)
        .setLoss(result.loss())
        .setComparedExamples(state.getComparedExamples())
        .setComparedAdapted(state.getComparedAdapted())
        .setComparedFrozen(state.getComparedFrozen())
        .setComparedBoth(state.getComparedBoth())
        .build();
  }

  /** Drops a domain. */
  void forget() {
    states.clear();
  }

  /** Gives the base model back. */
  @Override
  public void close() {
    trainers.values().forEach(Trainer::close);
    model.close();
  }
}
