package io.millrace.svft.training;

import io.millrace.svft.engine.SliceThreads;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.Pattern;
import io.millrace.svft.method.ScoredPositions;
import io.millrace.svft.tensor.Floats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;

/**
 * Applies the gradients of a step: clips them, and updates the parameters of adapter and head by
 * AdamW at the scheduled learning rates. While a gradient pattern has not chosen its positions, it
 * sums the pattern's scores and then chooses the positions, instead of updating the adapter.
 */
final class ParameterUpdate {
  private static final float[] NO_SHARES = {};
  private static final int VALUES_PER_TASK = 1 << 18;

  /** With its moments and its gradient, a piece fits into a processor's own cache. */
  private static final int VALUES_PER_PIECE = 1 << 13;

  /** Of such values, and of their squares, no sum or quotient in AdamW's update overflows. */
  private static final float MODERATE = 0x1p40f;

  static final String GRADIENT_NOT_FINITE = "the batch's gradient is not finite";
  private static final String NOT_FINITE = "the batch's update is not finite";

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
   * @param state the state before the step
   * @param computed the gradients of the batch
   * @param examples the batch
   * @param last whether the state before is used no more where this succeeds: see {@link
   *     Trainer.Batch#last}
   * @throws NonFiniteStepException if a value of the new state, or of a gradient outside of the
   *     heap, is not finite
   */
  TrainingState of(
      TrainingState state,
      GradientPass.Result computed,
      List<TrainingExample> examples,
      boolean last) {
    Trainer.Gradients gradients = computed.gradients();
    long step = state.steps() + 1;
    int[] positions = state.positions();
    float[] scores = state.scores();
    Parameters head = updatedHead(state, gradients.head(), step);
    ClassMeans means = updatedMeans(state, gradients.vectors(), examples);
    Optional<Parameters.Outside> outside = state.adapter().outside();
    Parameters adapter = outside.isPresent() ? state.adapter() : state.adapter().copy();
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
      // The values of a gradient pattern exist from the step after the choice of positions.
      boolean scored = state.method().sparsity().filter(Pattern::needsGradients).isPresent();
      long updates = scored ? step - settings.scoringSteps() : step;
      double rate = settings.learningRate() * warmup(step) * decay(step);
      if (outside.isPresent()) {
        adapter = updateOutside(outside.get(), computed, last, step, updates, rate, scores);
      } else {
        clip(gradients.values());
        updateAdapter(adapter, gradients.values(), updates, rate, scores);
        settings.moments().round(adapter, step);
      }
    }
    boolean finite = adapter.outside().isPresent() || adapter.allFinite();
    if (!Floats.allFinite(scores) || !finite) {
      throw new NonFiniteStepException(NOT_FINITE);
    }
    return new TrainingState(
        state.method(),
        state.labels(),
        state.labelBornAtStep(),
        positions,
        scores,
        adapter,
        head,
        means,
        step,
        state.examples() + examples.size());
  }

  /** The mean vectors after the batch. The average example has the weight 1. */
  private ClassMeans updatedMeans(
      TrainingState state, float[][] vectors, List<TrainingExample> examples) {
    if (settings.classMeans() == 0) {
      return ClassMeans.NONE;
    }
    int labels = state.labels().size();
    double total = examples.stream().mapToDouble(TrainingExample::weight).sum();
    float[] targets = new float[examples.size() * labels];
    for (int i = 0; i < examples.size(); i++) {
      TrainingExample example = examples.get(i);
      float weight = (float) (example.weight() / total * examples.size());
      settings.task().target(state.labels(), example.label(), weight, targets, i);
    }
    ClassMeans means = state.means().after((float) settings.classMeans(), vectors, targets);
    if (!means.allFinite()) {
      throw new NonFiniteStepException(NOT_FINITE);
    }
    return means;
  }

  /**
   * Updates an adapter outside of the heap, on all threads: reads a piece to the heap, updates it
   * as {@link #updateAdapter} does, and writes it to the same memory, if the state before is used
   * no more and the update is known to be finite beforehand; otherwise to other memory.
   */
  private Parameters updateOutside(
      Parameters.Outside before,
      GradientPass.Result computed,
      boolean last,
      long step,
      long updates,
      double rate,
      float[] shares) {
    int size = before.values().size();
    OutsideGradient gradient = OutsideGradient.of(computed);
    float scale = settings.maxGradientNorm() == 0 ? 1 : scale(gradient.squares(size));
    boolean inPlace =
        last && cannotOverflow(updates, rate, shares) && areModerate(before, gradient);
    Parameters.Outside after = inPlace ? before : Parameters.Outside.allocate(size);
    List<Callable<Optional<String>>> tasks = new ArrayList<>();
    for (int from = 0; from < size; from += VALUES_PER_TASK) {
      int start = from;
      int end = Math.min(size - start, VALUES_PER_TASK) + start;
      tasks.add(
          () -> {
            Piece piece = new Piece(before, after, gradient, scale);
            for (int at = start; at < end; at += VALUES_PER_PIECE) {
              int to = Math.min(end - at, VALUES_PER_PIECE) + at;
              Optional<String> failure = piece.update(at, to, step, updates, rate, shares);
              if (failure.isPresent()) {
                return failure;
              }
            }
            return Optional.empty();
          });
    }
    // A gradient that is not finite is the reason for an update that is not.
    Optional<String> failure =
        threads.run(tasks).stream().flatMap(Optional::stream).min(Comparator.naturalOrder());
    if (failure.isPresent()) {
      throw new NonFiniteStepException(failure.get());
    }
    return new Parameters(after);
  }

  /** Whether AdamW's update of {@link #areModerate moderate} values is finite with these rates. */
  private boolean cannotOverflow(long updates, double rate, float[] shares) {
    double own = rate;
    for (float share : shares) {
      own = Math.max(own, rate * share);
    }
    double moment = MODERATE / (1 - StrictMath.pow(settings.beta1(), updates));
    double value =
        MODERATE * (1 + own * settings.weightDecay()) + own * moment / settings.epsilon();
    return value < Float.MAX_VALUE;
  }

  /** Whether values, moments and gradients are finite and far from the largest float32. */
  private boolean areModerate(Parameters.Outside before, OutsideGradient gradient) {
    int size = before.values().size();
    List<Callable<Boolean>> tasks = new ArrayList<>();
    for (int from = 0; from < size; from += VALUES_PER_TASK) {
      int start = from;
      int end = Math.min(size - start, VALUES_PER_TASK) + start;
      tasks.add(
          () -> {
            float[] piece = new float[0];
            float[] term = new float[VALUES_PER_PIECE];
            for (int at = start; at < end; at += VALUES_PER_PIECE) {
              int count = Math.min(end - at, VALUES_PER_PIECE);
              piece = piece.length == count ? piece : new float[count];
              gradient.read(at, piece, term);
              boolean moderate = areWithin(-MODERATE, piece, MODERATE);
              before.values().get(at, piece, count);
              moderate &= areWithin(-MODERATE, piece, MODERATE);
              before.firstMoment().get(at, piece, count);
              moderate &= areWithin(-MODERATE, piece, MODERATE);
              before.secondMoment().get(at, piece, count);
              moderate &= areWithin(0, piece, MODERATE * MODERATE);
              if (!moderate) {
                return false;
              }
            }
            return true;
          });
    }
    return threads.run(tasks).stream().allMatch(each -> each);
  }

  private static boolean areWithin(float least, float[] values, float most) {
    for (float value : values) {
      // So that what is not a number is not within.
      if (!(value >= least && value <= most)) {
        return false;
      }
    }
    return true;
  }

  /** Some values outside of the heap at a time, on their way through the optimizer. */
  private final class Piece {
    private final Parameters.Outside before;
    private final Parameters.Outside after;
    private final OutsideGradient gradients;
    private final float scale;
    private final float[] term = new float[VALUES_PER_PIECE];
    private float[] gradient = new float[0];
    private Parameters piece;

    Piece(
        Parameters.Outside before,
        Parameters.Outside after,
        OutsideGradient gradients,
        float scale) {
      this.before = before;
      this.after = after;
      this.gradients = gradients;
      this.scale = scale;
    }

    /** Updates values from one index to another, exclusive. Returns why they are not finite. */
    Optional<String> update(
        int from, int to, long step, long updates, double rate, float[] shares) {
      int count = to - from;
      if (gradient.length != count) {
        gradient = new float[count];
        piece = Parameters.initial(new float[count]);
      }
      gradients.read(from, gradient, term);
      if (!Floats.allFinite(gradient)) {
        return Optional.of(GRADIENT_NOT_FINITE);
      }
      if (scale != 1) {
        scale(gradient, scale);
      }
      before.values().get(from, piece.values(), count);
      before.firstMoment().get(from, piece.firstMoment(), count);
      before.secondMoment().get(from, piece.secondMoment(), count);
      float[] own = shares.length == 0 ? shares : Arrays.copyOfRange(shares, from, to);
      optimizer.update(piece, gradient, 0, count, updates, rate, own);
      settings.moments().round(piece, step, from);
      after.values().put(from, piece.values(), count);
      after.firstMoment().put(from, piece.firstMoment(), count);
      after.secondMoment().put(from, piece.secondMoment(), count);
      return piece.allFinite() ? Optional.empty() : Optional.of(NOT_FINITE);
    }
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

  /**
   * The head after a step.
   *
   * @throws NonFiniteStepException if a value of it is not finite
   */
  private Parameters updatedHead(TrainingState state, float[] gradient, long step) {
    Parameters head = state.head().copy();
    clip(gradient);
    updateHead(head, gradient, state, step);
    settings.moments().round(head, step);
    if (!head.allFinite()) {
      throw new NonFiniteStepException(NOT_FINITE);
    }
    return head;
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
    float scale = scale(OutsideGradient.squares(0, gradient));
    if (scale != 1) {
      scale(gradient, scale);
    }
  }

  /** The factor of a gradient with a sum of squares. */
  private float scale(double squares) {
    double norm = StrictMath.sqrt(squares);
    return norm > settings.maxGradientNorm() ? (float) (settings.maxGradientNorm() / norm) : 1;
  }

  private static void scale(float[] gradient, float scale) {
    for (int i = 0; i < gradient.length; i++) {
      gradient[i] *= scale;
    }
  }
}
