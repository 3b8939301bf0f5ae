package io.millrace.svft.training;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import io.millrace.svft.engine.AdaptedModel;
import io.millrace.svft.engine.Encoder;
import io.millrace.svft.engine.SliceThreads;
import io.millrace.svft.engine.Slices;
import io.millrace.svft.engine.TokenBatch;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.Pattern;
import io.millrace.svft.method.ScoredPositions;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.task.Head;
import io.millrace.svft.tensor.Floats;
import io.millrace.svft.tensor.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/**
 * Takes training steps. Each step predicts the batch first and then trains on it (prequential
 * evaluation; Dawid, 1984).
 *
 * <p>A step is a function of state, batch, settings and base model alone. The forward pass that
 * computes the loss also scores the batch, so the prequential accuracy costs nothing extra. Any
 * number of threads may take steps on one {@link BaseModel}, each with its own states.
 */
public final class Trainer implements AutoCloseable {
  private final BaseModel base;
  private final TrainingSettings settings;
  private final AdapterLayout layout;
  private final Encoder encoder;
  private final SliceThreads threads;
  private final ParameterUpdate update;

  /**
   * @param threads the number of threads that share the work of a step; the result does not depend
   *     on it
   */
  public Trainer(BaseModel base, TrainingSettings settings, int threads) {
    this.base = base;
    this.settings = settings;
    this.layout = AdapterLayout.of(base.config(), settings.method());
    this.encoder = new Encoder(base);
    this.threads = new SliceThreads(threads);
    this.update = new ParameterUpdate(settings, layout, base.config().hidden(), this.threads);
  }

  /** The state of a new domain. */
  public TrainingState initialState() {
    AdapterMethod method = settings.method();
    if (method.sparsity().filter(Pattern::needsGradients).isPresent()) {
      float[] scores = new float[ScoredPositions.scores(layout)];
      return TrainingState.initial(method, new int[0], scores, new float[0]);
    }
    return TrainingState.initial(
        method, layout.initialPositions(base), new float[0], layout.initialValues(base));
  }

  /**
   * Scores a batch, then trains on it. Each new label adds a zero row to the head.
   *
   * @param before the state before the step, which stays unchanged
   * @param batch at least one example
   * @throws IllegalArgumentException if the batch is empty, or the state has another adapter method
   *     than the settings
   * @throws NonFiniteStepException if the loss, the gradient or the update is not finite
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
        before.withLabels(
            settings.task(), batch.stream().map(TrainingExample::label).toList(), hidden);
    long[][] ids = base.tokenize(batch.stream().map(TrainingExample::text).toList());
    Gradients gradients = gradients(state, batch, ids);
    boolean[] correct = score(gradients.logits(), before.labels().size(), state, batch);
    return new StepResult(
        update(state, gradients, batch.size()), gradients.loss(), correct, gradients.logits());
  }

  /**
   * The loss of a batch and its gradients.
   *
   * @param loss weighted mean cross-entropy, in nats
   * @param logits [batch, labels]
   * @param values gradient of the adapter's values; of all entries of M while a gradient pattern
   *     has not yet chosen positions; empty for the method head
   * @param head gradient of the head, [labels, hidden + 1]
   */
  public record Gradients(double loss, float[][] logits, float[] values, float[] head) {}

  /**
   * Scores a batch and computes its gradients, without an update.
   *
   * @param state its labels must include those of the batch
   * @param batch the examples
   * @param ids the token ids of each example
   * @throws NonFiniteStepException if the loss or a gradient is not finite
   */
  public Gradients gradients(TrainingState state, List<TrainingExample> batch, long[][] ids) {
    int hidden = base.config().hidden();
    int labels = state.labels().size();
    NDManager manager = base.manager();
    List<int[]> slices = Slices.of(ids);
    Gradients gradients;
    try (NDScope scope = new NDScope();
        AdaptedModel model =
            new AdaptedModel(
                base,
                layout.products(
                    base,
                    layout.positions(state.positions()),
                    state.adapter().values(),
                    manager))) {
      float[] head = state.head().values();
      NDArray weight = Torch.array(manager, Head.weights(head, hidden), labels, hidden);
      NDArray bias = Torch.array(manager, Head.biases(head, hidden), labels);
      double total = batch.stream().mapToDouble(TrainingExample::weight).sum();
      List<Callable<Part>> tasks = new ArrayList<>();
      for (int[] slice : slices) {
        float[] target = new float[slice.length * labels];
        long[][] sequences = new long[slice.length][];
        for (int i = 0; i < slice.length; i++) {
          sequences[i] = ids[slice[i]];
          TrainingExample example = batch.get(slice[i]);
          float share = (float) (example.weight() / total);
          settings.task().target(state.labels(), example.label(), share, target, i);
        }
        tasks.add(() -> part(new TokenBatch(sequences), model, weight, bias, target));
      }
      gradients = sum(threads.run(tasks), slices, batch.size(), model);
    }
    requireFinite(gradients);
    return gradients;
  }

  /** The contribution of one slice to the batch. Its arrays may be changed. */
  private record Part(
      float[][] logits, double loss, float[] headWeight, float[] headBias, float[] values) {}

  private Part part(
      TokenBatch slice, AdaptedModel model, NDArray weight, NDArray bias, float[] target) {
    int labels = target.length / slice.sequences();
    try (NDScope scope = new NDScope()) {
      NDArray targets = Torch.array(base.manager(), target, slice.sequences(), labels);
      List<NDArray> out = encoder.step(settings.task().id(), slice, model, weight, bias, targets);
      return new Part(
          Head.rows(out.get(0).toFloatArray(), labels),
          out.get(1).toFloatArray()[0],
          out.get(2).toFloatArray(),
          out.get(3).toFloatArray(),
          out.size() > 4 ? out.get(4).toFloatArray() : new float[0]);
    }
  }

  /** Sums the slices in their order, so that the bits of the sum do not depend on the threads. */
  private Gradients sum(List<Part> parts, List<int[]> slices, int examples, AdaptedModel model) {
    Part sum = parts.get(0);
    double loss = sum.loss();
    for (Part part : parts.subList(1, parts.size())) {
      loss += part.loss();
      add(sum.values(), part.values());
      add(sum.headWeight(), part.headWeight());
      add(sum.headBias(), part.headBias());
    }
    float[][] logits = new float[examples][];
    for (int s = 0; s < slices.size(); s++) {
      for (int i = 0; i < slices.get(s).length; i++) {
        logits[slices.get(s)[i]] = parts.get(s).logits()[i];
      }
    }
    return new Gradients(
        // Without loss, the program's negated sum is -0.0.
        loss + 0.0,
        logits,
        model.gradients(sum.values()),
        Head.join(sum.headWeight(), sum.headBias(), base.config().hidden()));
  }

  private static void add(float[] sum, float[] term) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] += term[i];
    }
  }

  /**
   * Computes the state after a step with the given gradients, which it clips in place.
   *
   * @param examples number of examples in the batch
   * @throws NonFiniteStepException if a value of the new state is not finite
   */
  public TrainingState update(TrainingState state, Gradients gradients, int examples) {
    return update.of(state, gradients, examples);
  }

  private static void requireFinite(Gradients gradients) {
    if (!Double.isFinite(gradients.loss())) {
      throw new NonFiniteStepException("the batch's loss is " + gradients.loss());
    }
    if (!Floats.allFinite(gradients.head()) || !Floats.allFinite(gradients.values())) {
      throw new NonFiniteStepException("the batch's gradient is not finite");
    }
  }

  /**
   * Compares predictions with labels. A row added for this batch has not been trained, so only the
   * labels known before compete.
   */
  private boolean[] score(
      float[][] logits, int known, TrainingState state, List<TrainingExample> batch) {
    boolean[] correct = new boolean[logits.length];
    for (int i = 0; i < correct.length; i++) {
      int answer = settings.task().answer(logits[i], known);
      correct[i] = answer >= 0 && state.labels().get(answer).equals(batch.get(i).label());
    }
    return correct;
  }

  /** Waits for a running step, at most a minute. The base model may be closed afterwards. */
  @Override
  public void close() {
    threads.close();
  }
}
