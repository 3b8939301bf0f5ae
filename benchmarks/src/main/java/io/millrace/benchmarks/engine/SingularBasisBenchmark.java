package io.millrace.benchmarks.engine;

import io.millrace.svft.model.SingularBasis;
import java.util.Random;
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
import org.openjdk.jmh.annotations.Warmup;

/**
 * Time to compute the singular basis of one weight, once per base model: MiniLM has 24 weights of
 * 384 × 384 and 12 of 1536 × 384 or its transpose.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class SingularBasisBenchmark {
  private static final int WIDTH = 384;
  private static final long SEED = 1;

  /** The weight's height; its width is 384. */
  @Param({"384", "1536"})
  public int out;

  private float[] w;

  /** Normal values, of about the size that a trained weight's have. */
  @Setup
  public void make() {
    Random random = new Random(SEED);
    w = new float[out * WIDTH];
    for (int i = 0; i < w.length; i++) {
      w[i] = (float) (0.05 * random.nextGaussian());
    }
  }

  @Benchmark
  public float[] decompose() {
    return SingularBasis.of(w, out, WIDTH).s();
  }
}
