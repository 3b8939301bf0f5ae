package io.millrace.benchmarks.engine;

import io.millrace.benchmarks.model.MiniLm;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.adapter.Classifier;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.util.List;
import java.util.Map;
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
 * From an adapter's payload to predictions with it, on MiniLM, with a head of 26 labels: the work
 * between a published version and its first answer.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 3, time = 2)
public class SwapBenchmark {
  private static final int LABELS_FROM = 16;

  /** What the adapter was trained with. */
  @Param({"svft:plain", "svft:banded:1", "lora:8"})
  public String method;

  private BaseModel base;
  private byte[] payload;
  private Adapter adapter;

  @Setup
  public void make() {
    AdapterMethod parsed = AdapterMethod.parse(method);
    // As serving loads it: any adapter fits.
    base = BaseModel.loadToPredict(MiniLm.files(), Torch.device("cpu"));
    try (Trainer trainer = new Trainer(base, TrainingSettings.defaults(parsed), 1)) {
      TrainingState state = trainer.initialState();
      for (List<TrainingExample> batch : MiniLm.batches(base, LABELS_FROM)) {
        state = trainer.step(state, batch).state();
      }
      adapter = state.toAdapter(base, "benchmark", 1, "");
      payload = adapter.toPayload();
      System.out.printf(
          "%n# %,d bytes, %,d trainable values, %d labels%n",
          payload.length, adapter.trainableParameters(), adapter.labels().size());
    }
  }

  @TearDown
  public void free() {
    base.close();
  }

  /** Bytes to a checked adapter. */
  @Benchmark
  public Adapter read() {
    return Adapter.fromPayload(payload);
  }

  /** An adapter to a classifier that is ready to predict: M stays apart from the weights. */
  @Benchmark
  public int classifier() {
    try (Classifier classifier = new Classifier(base, adapter)) {
      return classifier.adapter().labels().size();
    }
  }

  /** Instead: M merged into every adapted weight, for a model that knows nothing of adapters. */
  @Benchmark
  public Map<String, float[]> merge() {
    return adapter.merge(base);
  }
}
