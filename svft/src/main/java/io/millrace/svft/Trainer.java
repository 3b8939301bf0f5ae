package io.millrace.svft;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.nn.core.Linear;
import java.util.List;

/**
 * Takes training steps: predict, then train (prequential evaluation; Dawid, 1984).
 *
 * <p>A step is a function of state, batch and settings alone. The forward pass that yields the loss
 * has already scored the batch, so the prequential accuracy costs nothing extra. Any number of
 * threads may take steps, each with its own states, on one {@link BaseModel}.
 */
public final class Trainer {
  private final BaseModel base;
  private final TrainingSettings settings;
  private final Encoder encoder;
  private final AdamW optimizer;

  public Trainer(BaseModel base, TrainingSettings settings) {
    this.base = base;
    this.settings = settings;
    this.encoder = new Encoder(base);
    this.optimizer = new AdamW(settings);
  }

  /** The state a new domain starts from. */
  public TrainingState initialState() {
    return TrainingState.initial(settings.method(), base.config());
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
    if (before.method() != settings.method()) {
      throw new IllegalArgumentException(
          "the state was trained with adapter.method=%s, the setting is %s"
              .formatted(before.method().id(), settings.method().id()));
    }
    int hidden = base.config().hidden();
    TrainingState state =
        before.withLabels(batch.stream().map(TrainingExample::label).toList(), hidden);
    TokenBatch tokens = base.tokenize(batch.stream().map(TrainingExample::text).toList());
    Gradients gradients = gradients(state, batch, tokens);
    boolean[] correct = score(gradients.logits(), before.labels().size(), targets(state, batch));
    return new StepResult(
        update(state, gradients, batch.size()), gradients.loss(), correct, gradients.logits());
  }

  /**
   * @param logits [batch, labels]
   * @param values gradient of M's values; null for the method head
   * @param head [labels, hidden + 1]
   */
  record Gradients(double loss, float[][] logits, float[] values, float[] head) {}

  Gradients gradients(TrainingState state, List<TrainingExample> batch, TokenBatch tokens) {
    boolean adapts = settings.method() == TrainingSettings.Method.SVFT;
    int hidden = base.config().hidden();
    int labels = state.labels().size();
    NDManager manager = base.manager();
    try (NDScope scope = new NDScope()) {
      NDArray m = Torch.array(manager, state.values(), state.values().length);
      NDArray headWeight = Torch.array(manager, Head.weights(state.head(), hidden), labels, hidden);
      NDArray headBias = Torch.array(manager, Head.biases(state.head(), hidden), labels);
      headWeight.setRequiresGradient(true);
      headBias.setRequiresGradient(true);
      Torch.recordGradients(adapts);
      m.setRequiresGradient(adapts);
      NDArray pooled = encoder.embed(tokens, m);
      Torch.recordGradients(true);
      NDArray logits = Linear.linear(pooled, headWeight, headBias).singletonOrThrow();
      NDArray weights =
          Torch.array(
              manager, lossWeights(targets(state, batch), batch, labels), batch.size(), labels);
      NDArray loss = logits.logSoftmax(-1).mul(weights).sum().neg();
      Torch.backward(loss);
      Torch.recordGradients(false);
      Gradients gradients =
          new Gradients(
              loss.toFloatArray()[0],
              Head.rows(logits.toFloatArray(), labels),
              adapts ? m.getGradient().toFloatArray() : null,
              Head.join(
                  headWeight.getGradient().toFloatArray(),
                  headBias.getGradient().toFloatArray(),
                  hidden));
      requireFinite(gradients);
      return gradients;
    } finally {
      Torch.recordGradients(false);
    }
  }

  private static void requireFinite(Gradients gradients) {
    if (!Double.isFinite(gradients.loss())) {
      throw new NonFiniteStepException("the batch's loss is " + gradients.loss());
    }
    if (!Floats.allFinite(gradients.head())
        || (gradients.values() != null && !Floats.allFinite(gradients.values()))) {
      throw new NonFiniteStepException("the batch's gradient is not finite");
    }
  }

  private static int[] targets(TrainingState state, List<TrainingExample> batch) {
    return batch.stream().mapToInt(e -> state.labels().indexOf(e.label())).toArray();
  }

  /** [batch, labels]: each example's share of the mean at its label, zero elsewhere. */
  private static float[] lossWeights(int[] targets, List<TrainingExample> batch, int labels) {
    double total = batch.stream().mapToDouble(TrainingExample::weight).sum();
    float[] weights = new float[targets.length * labels];
    for (int i = 0; i < targets.length; i++) {
      weights[i * labels + targets[i]] = (float) (batch.get(i).weight() / total);
    }
    return weights;
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

  private TrainingState update(TrainingState state, Gradients gradients, int examples) {
    long step = state.steps() + 1;
    int row = base.config().hidden() + 1;
    double warmup =
        settings.warmupSteps() == 0 ? 1 : Math.min(1.0, (double) step / settings.warmupSteps());
    float[] values = state.values().clone();
    float[] valuesFirst = state.valuesFirstMoment().clone();
    float[] valuesSecond = state.valuesSecondMoment().clone();
    if (gradients.values() != null) {
      clip(gradients.values());
      optimizer.update(
          values,
          gradients.values(),
          valuesFirst,
          valuesSecond,
          0,
          values.length,
          step,
          settings.learningRate() * warmup);
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
          settings.headLearningRate() * warmup);
    }
    for (float[] updated :
        List.of(values, valuesFirst, valuesSecond, head, headFirst, headSecond)) {
      if (!Floats.allFinite(updated)) {
        throw new NonFiniteStepException("the batch's update is not finite");
      }
    }
    return new TrainingState(
        state.method(),
        state.labels(),
        state.labelBornAtStep(),
        values,
        valuesFirst,
        valuesSecond,
        head,
        headFirst,
        headSecond,
        step,
        state.examples() + examples);
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
