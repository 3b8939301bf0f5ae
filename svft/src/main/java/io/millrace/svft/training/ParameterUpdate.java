package io.millrace.svft.training;

import io.millrace.svft.engine.SliceThreads;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.Pattern;
import io.millrace.svft.method.ScoredPositions;
import io.millrace.svft.tensor.Floats;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/**
 * Applies the gradients of a step: clips them, and updates the parameters of adapter and head by
 * AdamW at the scheduled learning rates. While a gradient pattern has not chosen its positions, it
 * sums the pattern's scores and then chooses the positions, instead of updating the adapter.
 */
final class ParameterUpdate {
  private static final float[] NO_SHARES = {};
  private static final int VALUES_PER_TASK = 1 << 18;

  private final TrainingSettings settings;
  private final AdapterLayout layout;
  private final int hidden;
  private final AdamW optimizer;
  private final SliceThreads threads;

  /**
   * @param hidden width of the encoder; a row of the head has {@code hidden + 1} values
   */
  ParameterUpdate(
      TrainingSettings settings, AdapterLayout layout, int hidden, SliceThreads threads) {
    this.settings = settings;
    this.layout = layout;
    this.hidden = hidden;
    this.optimizer = new AdamW(settings);
    this.threads = threads;
  }

  /**
   * Computes the state after a step. Clips the gradients in place.
   *
   * @param state the state before the step, which stays unchanged
   * @param gradients of the batch
   * @param examples number of examples in the batch
   * @throws NonFiniteStepException if a value of the new state is not finite
   */
  TrainingState of(TrainingState state, Trainer.Gradients gradients, int examples) {
    long step = state.steps() + 1;
    int[] positions = state.positions();
    float[] scores = state.scores();
    Parameters adapter = state.adapter().copy();
    if (state.choosesPositions()) {
      scores = scores.clone();
      for (int i = 0; i < scores.length; i++) {
        scores[i] += Math.abs(gradients.values()[i]);
      }
      if (step == settings.scoringSteps()) {
        ScoredPositions chosen =
            ScoredPositions.choose(layout, state.method().sparsity().orElseThrow(), scores);
        positions = chosen.positions();
        scores = chosen.shares();
        adapter = Parameters.initial(new float[layout.size()]);
      }
    } else {
      clip(gradients.values());
      // The values of a gradient pattern exist from the step after the choice of positions.
      boolean scored = state.method().sparsity().filter(Pattern::needsGradients).isPresent();
      long updates = scored ? step - settings.scoringSteps() : step;
      double rate = settings.learningRate() * warmup(step) * decay(step);
      updateAdapter(adapter, gradients.values(), updates, rate, scores);
    }
    Parameters head = state.head().copy();
    clip(gradients.head());
    updateHead(head, gradients.head(), state, step);
    settings.moments().round(adapter, step);
    settings.moments().round(head, step);
    if (!Floats.allFinite(scores) || !adapter.allFinite() || !head.allFinite()) {
      throw new NonFiniteStepException("the batch's update is not finite");
    }
    return new TrainingState(
        state.method(),
        state.labels(),
        state.labelBornAtStep(),
        positions,
        scores,
        adapter,
        head,
        step,
        state.examples() + examples);
  }

  /** Updates the adapter on all threads. Each value is updated independently of the others. */
  private void updateAdapter(
      Parameters adapter, float[] gradient, long step, double rate, float[] shares) {
    List<Callable<Void>> tasks = new ArrayList<>();
    for (int from = 0; from < adapter.size(); from += VALUES_PER_TASK) {
      int start = from;
      int end = Math.min(adapter.size() - start, VALUES_PER_TASK) + start;
      tasks.add(
          () -> {
            optimizer.update(adapter, gradient, start, end, step, rate, shares);
            return null;
          });
    }
    threads.run(tasks);
  }

  /** Updates the head. The bias correction of a row counts the updates since the row was added. */
  private void updateHead(Parameters head, float[] gradient, TrainingState state, long step) {
    int row = hidden + 1;
    double rate = settings.headLearningRate() * warmup(step);
    for (int label = 0; label < state.labels().size(); label++) {
      long updates = step - state.labelBornAtStep()[label];
      optimizer.update(head, gradient, label * row, (label + 1) * row, updates, rate, NO_SHARES);
    }
  }

  private double warmup(long step) {
    return settings.warmupSteps() == 0 ? 1 : Math.min(1.0, (double) step / settings.warmupSteps());
  }

  private double decay(long step) {
    return settings.decaySteps() == 0
        ? 1
        : Math.max(
            settings.decayFloor(),
            1 / StrictMath.sqrt(1 + (step - 1) / (double) settings.decaySteps()));
  }

  private void clip(float[] gradient) {
    if (settings.maxGradientNorm() == 0) {
      return;
    }
    double squares = 0;
    for (float g : gradient) {
      squares += (double) g * g;
    }
    double norm = StrictMath.sqrt(squares);
    if (norm > settings.maxGradientNorm()) {
      float scale = (float) (settings.maxGradientNorm() / norm);
      for (int i = 0; i < gradient.length; i++) {
        gradient[i] *= scale;
      }
    }
  }
}
