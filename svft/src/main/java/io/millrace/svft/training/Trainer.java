package io.millrace.svft.training;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import io.millrace.svft.adapter.Head;
import io.millrace.svft.engine.AdaptedModel;
import io.millrace.svft.engine.Encoder;
import io.millrace.svft.engine.SliceThreads;
import io.millrace.svft.engine.Slices;
import io.millrace.svft.engine.TokenBatch;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.GradientPattern;
import io.millrace.svft.method.InitialValues;
import io.millrace.svft.method.Positions;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.Floats;
import io.millrace.svft.tensor.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;

/**
 * Takes training steps: predict, then train (prequential evaluation; Dawid, 1984).
 *
 * <p>A step is a function of state, batch and settings alone. The forward pass that yields the loss
 * has already scored the batch, so the prequential accuracy costs nothing extra. Any number of
 * threads may take steps, each with its own states, on one {@link BaseModel}.
 */
public final class Trainer implements AutoCloseable {
  private static final float[] NO_SHARES = {};
  private static final int VALUES_PER_TASK = 1 << 18;

  private final BaseModel base;
  private final TrainingSettings settings;
  private final AdapterLayout layout;
  private final Encoder encoder;
  private final AdamW optimizer;
  private final SliceThreads threads;

  /**
   * @param threads how many threads share a step's work; the result does not depend on it
   */
  public Trainer(BaseModel base, TrainingSettings settings, int threads) {
    this.base = base;
    this.settings = settings;
    this.layout = AdapterLayout.of(base.config(), settings.method());
    this.encoder = new Encoder(base);
    this.optimizer = new AdamW(settings);
    this.threads = new SliceThreads(threads);
  }

  /** The weights of a base model that this method computes with in their factors. */
  public static Set<WeightRole> factored(AdapterMethod method) {
    return method instanceof AdapterMethod.Svft ? method.weights() : Set.of();
  }

  /** The state a new domain starts from. */
  public TrainingState initialState() {
    AdapterMethod method = settings.method();
    int[] positions = layout.initialPositions(base, method);
    if (method instanceof AdapterMethod.Svft svft && svft.pattern().needsGradients()) {
      int places = layout.parts().stream().mapToInt(p -> p.n() * p.n()).sum();
      return TrainingState.initial(method, positions, new float[places], new float[0]);
    }
    return TrainingState.initial(
        method, positions, new float[0], InitialValues.of(base, method, layout));
  }

  /**
   * Scores a batch, then trains on it. Labels not seen before grow the head by zero rows.
   *
   * @throws NonFiniteStepException where loss, gradient or update is not finite
   */
  public StepResult step(TrainingState before, List<TrainingExample> batch) {
    if (batch.isEmpty()) {
      throw new IllegalArgumentException("a batch holds at least one example");
    }
    if (!before.method().equals(settings.method())) {
      throw new IllegalArgumentException(
          "the state was trained with the adapter method %s, the setting is %s"
              .formatted(before.method().spec(), settings.method().spec()));
    }
    int hidden = base.config().hidden();
    TrainingState state =
        before.withLabels(batch.stream().map(TrainingExample::label).toList(), hidden);
    long[][] ids = base.tokenize(batch.stream().map(TrainingExample::text).toList());
    Gradients gradients = gradients(state, batch, ids);
    boolean[] correct = score(gradients.logits(), before.labels().size(), targets(state, batch));
    return new StepResult(
        update(state, gradients, batch.size()), gradients.loss(), correct, gradients.logits());
  }

  /**
   * @param logits [batch, labels]
   * @param values gradient of the adapter's values, or, while positions are to be chosen, of all of
   *     M; empty under head
   * @param head [labels, hidden + 1]
   */
  public record Gradients(double loss, float[][] logits, float[] values, float[] head) {}

  public Gradients gradients(TrainingState state, List<TrainingExample> batch, long[][] ids) {
    AdapterMethod method = state.method();
    int hidden = base.config().hidden();
    int labels = state.labels().size();
    int[] targets = targets(state, batch);
    List<Positions> positions = layout.positions(method, state.positions());
    NDManager manager = base.manager();
    List<int[]> slices = Slices.of(ids);
    float[][] logits = new float[batch.size()][];
    List<Part> parts = new ArrayList<>();
    try (NDScope scope = new NDScope();
        AdaptedModel model =
            new AdaptedModel(base, method, layout, positions, state.values(), manager)) {
      NDArray weight = Torch.array(manager, Head.weights(state.head(), hidden), labels, hidden);
      NDArray bias = Torch.array(manager, Head.biases(state.head(), hidden), labels);
      double total = batch.stream().mapToDouble(TrainingExample::weight).sum();
      List<Callable<Part>> tasks = new ArrayList<>();
      for (int[] slice : slices) {
        float[] target = new float[slice.length * labels];
        long[][] sequences = new long[slice.length][];
        for (int i = 0; i < slice.length; i++) {
          sequences[i] = ids[slice[i]];
          target[i * labels + targets[slice[i]]] = (float) (batch.get(slice[i]).weight() / total);
        }
        tasks.add(() -> part(new TokenBatch(sequences), model, weight, bias, target));
      }
      parts.addAll(threads.run(tasks));
    }
    // The slices' sums, in the order of the slices.
    Part sum = parts.get(0);
    double loss = sum.loss();
    for (Part part : parts.subList(1, parts.size())) {
      loss += part.loss();
      add(sum.values(), part.values());
      add(sum.headWeight(), part.headWeight());
      add(sum.headBias(), part.headBias());
    }
    for (int s = 0; s < slices.size(); s++) {
      for (int i = 0; i < slices.get(s).length; i++) {
        logits[slices.get(s)[i]] = parts.get(s).logits()[i];
      }
    }
    Gradients gradients =
        new Gradients(
            loss,
            logits,
            AdaptedModel.gradients(method, layout, positions, sum.values()),
            Head.join(sum.headWeight(), sum.headBias(), hidden));
    requireFinite(gradients);
    return gradients;
  }

  /** What one slice adds to the batch. */
  private record Part(
      float[][] logits, double loss, float[] headWeight, float[] headBias, float[] values) {}

  private Part part(
      TokenBatch slice, AdaptedModel model, NDArray weight, NDArray bias, float[] target) {
    int labels = target.length / slice.sequences();
    try (NDScope scope = new NDScope()) {
      NDArray targets = Torch.array(base.manager(), target, slice.sequences(), labels);
      List<NDArray> out = encoder.step(slice, model, weight, bias, targets);
      return new Part(
          Head.rows(out.get(0).toFloatArray(), labels),
          out.get(1).toFloatArray()[0],
          out.get(2).toFloatArray(),
          out.get(3).toFloatArray(),
          out.size() > 4 ? out.get(4).toFloatArray() : new float[0]);
    }
  }

  private static void add(float[] sum, float[] term) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] += term[i];
    }
  }

  private static void requireFinite(Gradients gradients) {
    if (!Double.isFinite(gradients.loss())) {
      throw new NonFiniteStepException("the batch's loss is " + gradients.loss());
    }
    if (!Floats.allFinite(gradients.head()) || !Floats.allFinite(gradients.values())) {
      throw new NonFiniteStepException("the batch's gradient is not finite");
    }
  }

  private static int[] targets(TrainingState state, List<TrainingExample> batch) {
    return batch.stream().mapToInt(e -> state.labels().indexOf(e.label())).toArray();
  }

  /** A row added for this batch is no prediction, so only labels known before compete. */
  private static boolean[] score(float[][] logits, int known, int[] targets) {
    boolean[] correct = new boolean[targets.length];
    for (int i = 0; i < targets.length; i++) {
      int best = -1;
      for (int label = 0; label < known; label++) {
        if (best < 0 || logits[i][label] > logits[i][best]) {
          best = label;
        }
      }
      correct[i] = best == targets[i];
    }
    return correct;
  }

  public TrainingState update(TrainingState state, Gradients gradients, int examples) {
    long step = state.steps() + 1;
    int row = base.config().hidden() + 1;
    int[] positions = state.positions();
    float[] scores = state.scores();
    float[] values = state.values().clone();
    float[] valuesFirst = state.valuesFirstMoment().clone();
    float[] valuesSecond = state.valuesSecondMoment().clone();
    if (choosesPositions(state)) {
      scores = scores.clone();
      for (int i = 0; i < scores.length; i++) {
        scores[i] += Math.abs(gradients.values()[i]);
      }
      if (step == settings.scoringSteps()) {
        AdapterMethod.Svft svft = (AdapterMethod.Svft) state.method();
        positions = layout.chosenPositions((GradientPattern) svft.pattern(), scores);
        scores = layout.shares(positions, scores);
        values = new float[layout.size()];
        valuesFirst = new float[layout.size()];
        valuesSecond = new float[layout.size()];
      }
    } else {
      clip(gradients.values());
      // A gradient pattern's values exist from the step after their positions were chosen.
      long updates =
          state.method() instanceof AdapterMethod.Svft svft && svft.pattern().needsGradients()
              ? step - settings.scoringSteps()
              : step;
      updateValues(values, gradients.values(), valuesFirst, valuesSecond, updates, scores);
    }
    float[] head = state.head().clone();
    float[] headFirst = state.headFirstMoment().clone();
    float[] headSecond = state.headSecondMoment().clone();
    clip(gradients.head());
    for (int label = 0; label < state.labels().size(); label++) {
      // A row's bias correction counts the row's own updates, not those before it existed.
      optimizer.update(
          head,
          gradients.head(),
          headFirst,
          headSecond,
          label * row,
          (label + 1) * row,
          step - state.labelBornAtStep()[label],
          settings.headLearningRate() * warmup(step),
          NO_SHARES);
    }
    for (float[] updated :
        List.of(scores, values, valuesFirst, valuesSecond, head, headFirst, headSecond)) {
      if (!Floats.allFinite(updated)) {
        throw new NonFiniteStepException("the batch's update is not finite");
      }
    }
    return new TrainingState(
        state.method(),
        state.labels(),
        state.labelBornAtStep(),
        positions,
        scores,
        values,
        valuesFirst,
        valuesSecond,
        head,
        headFirst,
        headSecond,
        step,
        state.examples() + examples);
  }

  /** Every value is updated by itself, so many of them may be shared out. */
  private void updateValues(
      float[] values,
      float[] gradient,
      float[] firstMoment,
      float[] secondMoment,
      long step,
      float[] shares) {
    double rate = settings.learningRate() * warmup(step) * decay(step);
    List<Callable<Void>> tasks = new ArrayList<>();
    for (int from = 0; from < values.length; from += VALUES_PER_TASK) {
      int start = from;
      int end = Math.min(values.length - start, VALUES_PER_TASK) + start;
      tasks.add(
          () -> {
            optimizer.update(
                values, gradient, firstMoment, secondMoment, start, end, step, rate, shares);
            return null;
          });
    }
    threads.run(tasks);
  }

  /** Whether a gradient pattern still sums scores. */
  private static boolean choosesPositions(TrainingState state) {
    return state.values().length == 0 && state.scores().length > 0;
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

  /** Waits for a step that still runs, so that the base model may be closed afterwards. */
  @Override
  public void close() {
    threads.close();
  }
}
