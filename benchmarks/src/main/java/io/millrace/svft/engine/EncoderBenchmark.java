package io.millrace.svft.engine;

import io.millrace.benchmarks.model.MiniLm;
import io.millrace.benchmarks.model.OnnxEncoder;
import io.millrace.benchmarks.model.StepCost;
import io.millrace.benchmarks.model.Work;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
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
 * Embeddings of MiniLM, from token ids to one vector per text, in {@link Work} per second: the work
 * of serving, at its usual batch sizes.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 3, time = 2)
public class EncoderBenchmark {
  /**
   * {@code served-factors}: as served, every weight in its factors, a plain M between them; {@code
   * served-weights}: as served, merged; {@code packed-factors} and {@code packed-weights}: the same
   * as trained; {@code padded-weights}: padded, one operator after the other; {@code onnxruntime}:
   * padded, the file that the model came from.
   */
  @Param({
    "served-factors",
    "served-weights",
    "packed-factors",
    "packed-weights",
    "padded-weights",
    "onnxruntime"
  })
  public String encoder;

  /** Texts. */
  @Param({"1", "8", "32"})
  public int batch;

  @Param({"1", "2"})
  public int threads;

  private BaseModel base;
  private AdapterMethod method;
  private AutoCloseable encoding;
  private AdaptedModel model;
  private Function<long[][], float[][]> embed;
  private final List<long[][]> ids = new ArrayList<>();
  private int next;

  @Setup
  public void make() {
    method = AdapterMethod.parse(encoder.endsWith("-factors") ? "svft:plain" : "head");
    base =
        encoder.startsWith("served")
            ? BaseModel.loadToPredict(MiniLm.files(), Torch.device("cpu"))
            : MiniLm.load(MiniLm.files(), method);
    TrainingState state;
    try (Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1)) {
      state = trainer.initialState();
    }
    switch (encoder) {
      case "onnxruntime" -> {
        OnnxEncoder onnx = new OnnxEncoder(threads);
        encoding = onnx;
        embed = onnx::embed;
      }
      case "padded-weights" -> {
        StepFormulation padded = StepFormulation.of("dense-padded", base, threads);
        encoding = padded;
        embed = sequences -> padded.embed(state, sequences);
      }
      default -> {
        SlicedFormulation sliced = new SlicedFormulation(base, method, threads);
        model = sliced.adapted(state);
        encoding = sliced;
        embed = sequences -> sliced.embed(model, sequences);
      }
    }
    MiniLm.batches(base, batch).forEach(texts -> ids.add(MiniLm.tokenize(base, texts)));
  }

  @TearDown
  public void free() throws Exception {
    if (model != null) {
      model.close();
    }
    encoding.close();
    base.close();
  }

  @Benchmark
  public float[][] embed(Work work) {
    next = (next + 1) % ids.size();
    long[][] sequences = ids.get(next);
    int tokens = MiniLm.tokens(sequences);
    work.add(sequences.length, tokens, tokens * StepCost.forward(base.config(), method));
    return embed.apply(sequences);
  }
}
