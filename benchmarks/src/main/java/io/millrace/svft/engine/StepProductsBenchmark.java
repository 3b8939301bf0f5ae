package io.millrace.svft.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.core.Linear;
import io.millrace.benchmarks.model.MiniLm;
import io.millrace.benchmarks.model.Work;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.tensor.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
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
 * The bound of a training step: matrix products of a slice's shape and nothing else, on each thread
 * its own. What {@link TrainingStepBenchmark} is set against when both run.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 3, time = 2)
public class StepProductsBenchmark {
  /** Tokens of a usual slice: half of a batch of 16 texts. */
  private static final int ROWS = 135;

  private static final int REPEATED = 100;

  /** Threads that compute, each for itself. */
  @Param({"1", "2"})
  public int threads;

  private BaseModel base;
  private SliceThreads pool;
  private Map<Integer, NDArray> rows;

  @Setup
  public void make() {
    base = BaseModel.load(MiniLm.files(), Torch.device("cpu"));
    pool = new SliceThreads(threads);
    EncoderConfig config = base.config();
    rows =
        Map.of(
            config.hidden(),
            base.manager().randomNormal(new Shape(ROWS, config.hidden())),
            config.intermediate(),
            base.manager().randomNormal(new Shape(ROWS, config.intermediate())));
  }

  @TearDown
  public void free() {
    pool.close();
    base.close();
  }

  /** One product of 135 rows with a weight of 384 × 384, over and over: the weight stays in L2. */
  @Benchmark
  public void sameProduct(Work work) {
    run(() -> same(base.linears().get(0)), work);
  }

  /** Both products of every linear weight, forward and backward: each weight has left L2. */
  @Benchmark
  public void everyProduct(Work work) {
    run(this::every, work);
  }

  private void run(Callable<Long> products, Work work) {
    List<Callable<Long>> tasks = new ArrayList<>();
    for (int i = 0; i < threads; i++) {
      tasks.add(
          () -> {
            Torch.prepareThread();
            return products.call();
          });
    }
    pool.run(tasks).forEach(flop -> work.add(0, 0, flop));
  }

  private long same(BaseModel.Linear linear) {
    long flop = 0;
    for (int i = 0; i < REPEATED; i++) {
      flop += transposed(linear.factors().vt());
    }
    return flop;
  }

  private long every() {
    long flop = 0;
    for (BaseModel.Linear linear : base.linears()) {
      flop += transposed(linear.factors().vt());
      flop += transposed(linear.factors().u());
    }
    for (int i = base.linears().size() - 1; i >= 0; i--) {
      flop += straight(base.linears().get(i).factors().u());
      flop += straight(base.linears().get(i).factors().vt());
    }
    return flop;
  }

  /** x wᵀ; returns its operations. */
  private long transposed(NDArray w) {
    try (NDScope scope = new NDScope()) {
      Linear.linear(rows.get((int) w.getShape().get(1)), w);
    }
    return 2 * ROWS * w.size();
  }

  /** x w; returns its operations. */
  private long straight(NDArray w) {
    try (NDScope scope = new NDScope()) {
      rows.get((int) w.getShape().get(0)).matMul(w);
    }
    return 2 * ROWS * w.size();
  }
}
