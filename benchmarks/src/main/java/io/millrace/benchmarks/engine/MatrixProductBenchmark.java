package io.millrace.benchmarks.engine;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.core.Linear;
import ai.djl.pytorch.jni.JniUtils;
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
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/**
 * How fast this machine multiplies float32 matrices through PyTorch: the bound of every training
 * step. Shapes are those of MiniLM's linear weights at three numbers of tokens, and a large square
 * one for the machine's peak.
 *
 * <p>Throughput is in products a second, all threads together; {@link MatrixProductRates} turns it
 * into GFLOP/s. JMH's {@code -t} would change what the methods' names say.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class MatrixProductBenchmark {
  /** y = x Wᵀ, of x: [tokens, in] and W: [out, in]. */
  @State(Scope.Thread)
  public abstract static class Product {
    /** tokens x in x out. */
    @Param({
      "120x384x384",
      "240x384x384",
      "480x384x384",
      "120x384x1536",
      "240x384x1536",
      "480x384x1536",
      "120x1536x384",
      "240x1536x384",
      "480x1536x384",
      "1024x1024x1024"
    })
    public String shape;

    private final int operatorThreads;
    private NDManager manager;
    private NDArray x;
    private NDArray w;

    Product(int operatorThreads) {
      this.operatorThreads = operatorThreads;
    }

    /** Runs in the thread that measures: OpenMP's number of threads belongs to a thread. */
    @Setup
    public void make() {
      MatrixProductShape sizes = MatrixProductShape.parse(shape);
      // Loads PyTorch.
      manager = NDManager.newBaseManager(Device.cpu(), "PyTorch");
      JniUtils.setNumThreads(operatorThreads);
      x = manager.randomNormal(new Shape(sizes.tokens(), sizes.in()));
      w = manager.randomNormal(new Shape(sizes.out(), sizes.in()));
    }

    @TearDown
    public void free() {
      manager.close();
    }

    final long multiply() {
      try (NDArray y = Linear.linear(x, w).singletonOrThrow()) {
        return y.size();
      }
    }
  }

  /** Operators run on the thread that calls them. */
  public static class OnOneThread extends Product {
    public OnOneThread() {
      super(1);
    }
  }

  /** Two threads share each operator. */
  public static class OnTwoThreads extends Product {
    public OnTwoThreads() {
      super(2);
    }
  }

  /** One product at a time, on one thread. */
  @Benchmark
  public long oneThread(OnOneThread product) {
    return product.multiply();
  }

  /** One product at a time, shared by two threads. */
  @Benchmark
  public long twoThreads(OnTwoThreads product) {
    return product.multiply();
  }

  /** Two products at a time, on one thread each. */
  @Benchmark
  @Threads(2)
  public long twoAtOnce(OnOneThread product) {
    return product.multiply();
  }
}
