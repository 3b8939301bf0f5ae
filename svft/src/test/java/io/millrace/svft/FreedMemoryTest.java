package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDScope;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Arrays that DJL makes lie in Java buffers. Where autograd saved one that was closed since, a
 * collection between forward and backward hands its memory to somebody else: {@code
 * NDArray.mul(Number)} does that.
 */
@ExtendWith(Models.class)
class FreedMemoryTest {
  @Test
  void theEncodersBackwardPassReadsNoMemoryTheCollectorFreed(@Models.Tiny BaseModel base) {
    float[] undisturbed = gradient(base, () -> {});

    for (int i = 0; i < 5; i++) {
      assertThat(gradient(base, FreedMemoryTest::collectAndReuse)).containsExactly(undisturbed);
    }
  }

  @Test
  void stepsWhileTheCollectorRunsGiveTheSameBits(@Models.MiniLm BaseModel base) throws Exception {
    Trainer trainer = new Trainer(base, TrainingSettings.defaults(TrainingSettings.Method.SVFT));
    List<TrainingExample> batch = Sentences.batch(50, 2);
    TrainingState before = trainer.step(trainer.initialState(), batch).state();
    Set<String> hashes = new HashSet<>();
    AtomicBoolean done = new AtomicBoolean();
    ExecutorService collector = Executors.newSingleThreadExecutor();
    try {
      Future<?> collecting =
          collector.submit(
              () -> {
                while (!done.get()) {
                  collectAndReuse();
                }
              });
      for (int i = 0; i < 30; i++) {
        hashes.add(trainer.step(before, batch).state().sha256());
      }
      done.set(true);
      collecting.get();
    } finally {
      done.set(true);
      collector.shutdown();
    }

    assertThat(hashes).hasSize(1);
  }

  private static float[] gradient(BaseModel base, Runnable betweenForwardAndBackward) {
    TokenBatch tokens = base.tokenize(Sentences.ALL.subList(50, 54));
    Torch.recordGradients(true);
    try (NDScope scope = new NDScope()) {
      float[] zero = new float[base.config().plainValues()];
      NDArray m = Torch.array(base.manager(), zero, zero.length);
      m.setRequiresGradient(true);
      NDArray pooled = new Encoder(base).embed(tokens, m);
      NDArray loss = pooled.mul(pooled).mul(pooled).sum();
      betweenForwardAndBackward.run();
      Torch.backward(loss);
      return m.getGradient().toFloatArray();
    } finally {
      Torch.recordGradients(false);
    }
  }

  /** Frees what nobody in Java refers to, and writes over it. */
  private static void collectAndReuse() {
    System.gc();
    for (int i = 0; i < 20_000; i++) {
      ByteBuffer buffer = ByteBuffer.allocateDirect(4 << i % 8);
      while (buffer.hasRemaining()) {
        buffer.putFloat(Float.NaN);
      }
    }
  }
}
