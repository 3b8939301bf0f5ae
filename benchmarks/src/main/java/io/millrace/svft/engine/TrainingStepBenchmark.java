package io.millrace.svft.engine;

import io.millrace.benchmarks.model.MiniLm;
import io.millrace.benchmarks.model.StepCost;
import io.millrace.benchmarks.model.Work;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.task.Classification;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A training step on MiniLM, 16 texts a batch, and its parts. Rates are in {@link Work} per second;
 * its operations are those of {@link StepCost}, the same for every formulation of a method.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 3, time = 2)
public class TrainingStepBenchmark {
  private static final int BATCH = 16;

  /** A method's name: Millrace's own formulation of it; else see {@link AutogradFormulation}. */
  @Param({
    "svft:plain",
    "svft:banded:1",
    "svft:random:1",
    "lora:8",
    "full",
    "head",
    "factored-packed",
    "factored-padded",
    "rebuilt-padded",
    "lora-padded"
  })
  public String formulation;

  /** Millrace's slices run on so many threads; elsewhere they share every operator. */
  @Param({"1", "2"})
  public int threads;

  private BaseModel base;
  private Trainer trainer;
  private StepFormulation passes;
  private TrainingState state;
  private List<List<TrainingExample>> batches;
  private final List<long[][]> ids = new ArrayList<>();
  private long forwardFlop;
  private long backwardFlop;
  private int next;

  @Setup
  public void make() {
    AdapterMethod method = StepFormulation.method(formulation);
    base = MiniLm.load(MiniLm.files(), method);
    trainer = new Trainer(base, TrainingSettings.defaults(method), 1);
    passes = StepFormulation.of(formulation, base, threads);
    batches = MiniLm.batches(base, BATCH);
    batches.forEach(batch -> ids.add(MiniLm.tokenize(base, batch)));
    state = trainer.initialState();
    for (List<TrainingExample> batch : batches) {
      state =
          state.withLabels(
              new Classification(),
              batch.stream().map(TrainingExample::label).toList(),
              base.config().hidden());
    }
    forwardFlop = StepCost.forward(base.config(), method);
    backwardFlop = StepCost.backward(base.config(), method);
    int tokens = ids.stream().mapToInt(MiniLm::tokens).sum();
    int places = ids.stream().mapToInt(each -> BATCH * longest(each)).sum();
    System.out.printf(
        "%n# %d batches of %d texts, %.1f tokens a text, %.1f padded%n",
        batches.size(),
        BATCH,
        (double) tokens / (batches.size() * BATCH),
        (double) places / (batches.size() * BATCH));
  }

  @TearDown
  public void free() {
    passes.close();
    trainer.close();
    base.close();
  }

  /** Embeddings alone; nothing is kept for a backward pass. */
  @Benchmark
  public float[][] forward(Work work) {
    long[][] tokens = ids.get(turn());
    work.add(tokens.length, MiniLm.tokens(tokens), MiniLm.tokens(tokens) * forwardFlop);
    return passes.embed(state, tokens);
  }

  /** Forward and backward pass. */
  @Benchmark
  public Object gradients(Work work) {
    int turn = turn();
    count(ids.get(turn), work);
    return passes.gradients(state, batches.get(turn), ids.get(turn));
  }

  /** Tokens, forward and backward pass, AdamW's update; each step starts from the one before. */
  @Benchmark
  public double step(Work work) {
    List<TrainingExample> batch = batches.get(turn());
    long[][] tokens = MiniLm.tokenize(base, batch);
    count(tokens, work);
    Trainer.Gradients gradients = passes.gradients(state, batch, tokens);
    state = trainer.update(state, gradients, batch);
    return gradients.loss();
  }

  private int turn() {
    next = (next + 1) % batches.size();
    return next;
  }

  private void count(long[][] sequences, Work work) {
    long tokens = MiniLm.tokens(sequences);
    work.add(sequences.length, tokens, tokens * (forwardFlop + backwardFlop));
  }

  private static int longest(long[][] ids) {
    return Arrays.stream(ids).mapToInt(each -> each.length).max().orElseThrow();
  }
}
