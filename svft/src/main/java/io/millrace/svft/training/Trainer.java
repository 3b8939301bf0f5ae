package io.millrace.svft.training;

import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.adapter.PeftLora;
import io.millrace.svft.engine.SliceThreads;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.Pattern;
import io.millrace.svft.method.ScoredPositions;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.BatchLayout;
import io.millrace.svft.tensor.Floats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;

/**
 * Takes training steps. Each step predicts the batch first and then trains on it (prequential
 * evaluation; Dawid, 1984).
 *
 * <p>A step is a function of state, batch, settings and base model alone. The forward pass that
 * computes the loss also scores the batch, so the prequential accuracy costs nothing extra. Any
 * number of threads may take steps on one {@link BaseModel}, each with its own trainer.
 *
 * <p>{@link #steps} takes the steps of several domains in one pass. With the layout {@link
 * BatchLayout#SEGMENTS}, each step has the same bits as alone.
 */
public final class Trainer implements AutoCloseable {
  private final BaseModel base;
  private final TrainingSettings settings;
  private final AdapterLayout layout;
  private final SliceThreads threads;
  private final GradientPass pass;
  private final ParameterUpdate update;
  private Boolean groups;

  /**
   * @param threads the number of threads that share the work of a step; the result does not depend
   *     on it
   */
  public Trainer(BaseModel base, TrainingSettings settings, int threads) {
    this.base = base;
    this.settings = settings;
    this.layout = AdapterLayout.of(base.config(), settings.method());
    this.threads = new SliceThreads(threads);
    this.pass = new GradientPass(base, settings, layout, this.threads);
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
   * The state of a new domain that starts from another domain's version: with its values, its
   * labels and its head, moments of zero, and no steps.
   *
   * @throws AdapterException where it does not fit: it belongs to another base model, was trained
   *     with another adapter method than the settings', or has a gradient pattern's positions,
   *     whose shares of the learning rate no version holds
   */
  public TrainingState initialState(Adapter from) {
    from.requireFits(base);
    AdapterMethod method = settings.method();
    if (!from.method().equals(method)) {
      throw new AdapterException(
          "it was trained with the adapter method %s, the setting is %s"
              .formatted(from.method().spec(), method.spec()));
    }
    boolean scored = method.sparsity().filter(Pattern::needsGradients).isPresent();
    if (scored && from.values().length > 0) {
      throw new AdapterException(
          "no version holds the shares of the learning rate that the values of the pattern %s move by"
              .formatted(method.patternId()));
    }
    return new TrainingState(
        method,
        from.labels(),
        new long[from.labels().size()],
        from.positions(),
        scored ? initialState().scores() : new float[0],
        Parameters.initial(from.values()),
        Parameters.initial(from.head()),
        ClassMeans.NONE,
        0,
        0);
  }

  /**
   * The state of a new domain that starts from an adapter of PEFT: as {@link
   * #initialState(Adapter)}.
   *
   * @throws AdapterException where its method is not that of the settings
   */
  public TrainingState initialState(PeftLora from) {
    from.requireMethod(settings.method());
    return new TrainingState(
        settings.method(),
        from.labels(),
        new long[from.labels().size()],
        new int[0],
        new float[0],
        Parameters.initial(from.values()),
        Parameters.initial(from.head()),
        ClassMeans.NONE,
        0,
        0);
  }

  /**
   * A batch of one domain.
   *
   * @param before the state before the step
   * @param examples at least one
   * @param last whether {@code before} is used no more once the step is taken. The state after it
   *     then has its memory outside of the heap, if it has any, and is not a second one as large. A
   *     step that is not finite leaves {@code before} as it is in any case.
   */
  public record Batch(TrainingState before, List<TrainingExample> examples, boolean last) {

    /**
     * @throws IllegalArgumentException if the batch is empty
     */
    public Batch {
      if (examples.isEmpty()) {
        throw new IllegalArgumentException("a batch holds at least one example");
      }
    }

    /** A batch whose state before the step stays as it is. */
    public Batch(TrainingState before, List<TrainingExample> examples) {
      this(before, examples, false);
    }
  }

  /**
   * What became of a batch: a result, or a failure.
   *
   * @param failure the loss, the gradient or the update is not finite
   */
  public record Outcome(Optional<StepResult> result, Optional<NonFiniteStepException> failure) {

    /**
     * The result.
     *
     * @throws NonFiniteStepException if there is none
     */
    public StepResult resultOrThrow() {
      return result.orElseThrow(() -> failure.orElseThrow());
    }
  }

  /**
   * Scores a batch, then trains on it. Each new label adds a zero row to the head.
   *
   * @param before the state before the step, which stays as it is
   * @param batch at least one example
   * @throws IllegalArgumentException if the batch is empty, or the state has another adapter method
   *     than the settings
   * @throws NonFiniteStepException if the loss, the gradient or the update is not finite
   */
  public StepResult step(TrainingState before, List<TrainingExample> batch) {
    return steps(List.of(new Batch(before, batch))).get(0).resultOrThrow();
  }

  /**
   * Takes one step for each of several domains. Each outcome has the bits of {@link #step} for its
   * batch alone, whatever the other batches are; only the time differs.
   *
   * @param batches of different domains
   * @return the outcomes, in the order of the batches
   * @throws IllegalArgumentException if a state has another adapter method than the settings
   */
  public List<Outcome> steps(List<Batch> batches) {
    List<Batch> grown = new ArrayList<>();
    List<String> texts = new ArrayList<>();
    for (Batch batch : batches) {
      if (!batch.before().method().equals(settings.method())) {
        throw new IllegalArgumentException(
            "the state was trained with the adapter method %s, the setting is %s"
                .formatted(batch.before().method().spec(), settings.method().spec()));
      }
      List<String> answers = batch.examples().stream().map(TrainingExample::label).toList();
      batch.examples().forEach(example -> texts.add(example.text()));
      TrainingState state =
          batch.before().withLabels(settings.task(), answers, base.config().hidden());
      grown.add(new Batch(state, batch.examples(), batch.last()));
    }
    long[][] ids = base.tokenize(texts);
    Map<Boolean, List<Integer>> phases = new LinkedHashMap<>();
    List<GradientPass.Batch> laidOut = new ArrayList<>();
    int from = 0;
    for (int i = 0; i < grown.size(); i++) {
      Batch batch = grown.get(i);
      int to = from + batch.examples().size();
      long[][] own = Arrays.copyOfRange(ids, from, to);
      laidOut.add(new GradientPass.Batch(batch.before(), batch.examples(), own));
      // While a gradient pattern has not chosen its positions, it computes other products.
      boolean chooses = batch.before().choosesPositions();
      phases.computeIfAbsent(chooses, key -> new ArrayList<>()).add(i);
      from = to;
    }
    Outcome[] outcomes = new Outcome[batches.size()];
    for (List<Integer> phase : phases.values()) {
      if (phase.size() == 1 || groups()) {
        take(phase, batches, laidOut, outcomes);
      } else {
        phase.forEach(i -> take(List.of(i), batches, laidOut, outcomes));
      }
    }
    return List.of(outcomes);
  }

  /** Takes the steps of the batches with the given indices, in one pass. */
  private void take(
      List<Integer> indices,
      List<Batch> batches,
      List<GradientPass.Batch> laidOut,
      Outcome[] outcomes) {
    List<GradientPass.Result> gradients = pass.compute(indices.stream().map(laidOut::get).toList());
    try {
      List<Callable<Outcome>> updates = new ArrayList<>();
      for (int i = 0; i < indices.size(); i++) {
        Batch asked = batches.get(indices.get(i));
        GradientPass.Batch batch = laidOut.get(indices.get(i));
        GradientPass.Result own = gradients.get(i);
        updates.add(() -> outcome(batch, asked, own));
      }
      List<Outcome> taken = threads.run(updates);
      for (int i = 0; i < indices.size(); i++) {
        outcomes[indices.get(i)] = taken.get(i);
      }
    } finally {
      gradients.forEach(GradientPass.Result::close);
    }
  }

  private Outcome outcome(GradientPass.Batch batch, Batch asked, GradientPass.Result computed) {
    Gradients gradients = computed.gradients();
    try {
      requireFinite(gradients);
      int known = asked.before().labels().size();
      boolean[] correct = score(gradients.logits(), known, batch.state(), batch.examples());
      StepResult result =
          new StepResult(
              update.of(batch.state(), computed, batch.examples(), asked.last()),
              gradients.loss(),
              correct,
              gradients.logits());
      return new Outcome(Optional.of(result), Optional.empty());
    } catch (NonFiniteStepException e) {
      return new Outcome(Optional.empty(), Optional.of(e));
    }
  }

  /**
   * Whether this process takes the steps of several domains in one pass. The first call computes
   * batches together and alone and compares their bits: unknown kernels may give others. Adapters
   * with more than {@value Parameters#MOST_ON_HEAP} values are trained one by one: their copies
   * would cost more than a pass saves.
   */
  public boolean groups() {
    if (groups == null) {
      groups =
          settings.layout() == BatchLayout.SEGMENTS
              && settings.method().groups()
              && layout.size() <= Parameters.MOST_ON_HEAP
              && GroupCheck.holds(base, layout, initialState(), pass::gradients);
    }
    return groups;
  }

  /**
   * The loss of a batch and its gradients.
   *
   * @param loss weighted mean cross-entropy, in nats
   * @param logits [batch, labels]
   * @param vectors [batch, hidden]: what the head got
   * @param values gradient of the adapter's values; of all entries of M while a gradient pattern
   *     has not yet chosen positions; empty for the method head
   * @param head gradient of the head, [labels, hidden + 1]
   */
  public record Gradients(
      double loss, float[][] logits, float[][] vectors, float[] values, float[] head) {}

  /**
   * Scores a batch and computes its gradients, without an update.
   *
   * @param state its labels must include those of the batch
   * @param batch the examples
   * @param ids the token ids of each example
   * @throws NonFiniteStepException if the loss or a gradient is not finite
   */
  public Gradients gradients(TrainingState state, List<TrainingExample> batch, long[][] ids) {
    Gradients gradients = pass.gradients(List.of(new GradientPass.Batch(state, batch, ids))).get(0);
    requireFinite(gradients);
    return gradients;
  }

  /**
   * Computes the state after a step with the given gradients, which it clips in place.
   *
   * @param examples the batch
   * @throws NonFiniteStepException if a value of the new state is not finite
   */
  public TrainingState update(
      TrainingState state, Gradients gradients, List<TrainingExample> examples) {
    return update(state, gradients, examples, false);
  }

  /** As {@link #update(TrainingState, Gradients, List)}; see {@link Batch#last}. */
  TrainingState update(
      TrainingState state, Gradients gradients, List<TrainingExample> examples, boolean last) {
    return update.of(state, new GradientPass.Result(gradients, List.of()), examples, last);
  }

  private static void requireFinite(Gradients gradients) {
    if (!Double.isFinite(gradients.loss())) {
      throw new NonFiniteStepException("the batch's loss is " + gradients.loss());
    }
    if (!Floats.allFinite(gradients.head()) || !Floats.allFinite(gradients.values())) {
      throw new NonFiniteStepException(ParameterUpdate.GRADIENT_NOT_FINITE);
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
