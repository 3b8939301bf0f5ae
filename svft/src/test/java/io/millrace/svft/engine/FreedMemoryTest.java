package io.millrace.svft.engine;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDScope;
import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.TinyModel;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.training.RandomState;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * DJL creates arrays in Java buffers, which the garbage collector frees after the array is closed,
 * even if native code still reads them. No argument of {@code encoder.py} may be such an array.
 */
@Tag("unit")
@ExtendWith(Models.class)
class FreedMemoryTest {
  @ParameterizedTest
  @ValueSource(strings = {"svft:plain", "svft:banded:1", "svft:random:1", "lora:2", "full"})
  void anAdaptedModelReadsNoMemoryTheCollectorFreed(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, method);
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1)) {
      TrainingState state = RandomState.of(trainer, base.config().hidden(), 0.1);
      Adapter adapter = state.toAdapter(base, "domain", 1, "");
      long[][] ids = base.tokenize(Sentences.ALL.subList(50, 54));
      float[] undisturbed = RandomState.embed(base, state, ids);

      try (NDScope scope = new NDScope();
          AdaptedModel model = adapter.on(base, base.manager())) {
        for (int i = 0; i < 3; i++) {
          collectAndReuse();
          assertThat(new Encoder(base).embed(new TokenBatch(ids), model).toFloatArray())
              .containsExactly(undisturbed);
        }
      }
    }
  }

  @Test
  void stepsWhileTheCollectorRunsGiveTheSameBits(@Models.MiniLm BaseModel base) throws Exception {
    AdapterMethod method = AdapterMethod.parse("svft:banded:1");
    Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 2);
    List<TrainingExample> batch = Sentences.batch(50, 2);
    TrainingState before = trainer.step(trainer.initialState(), batch).state();
    Set<String> hashes = new HashSet<>();
    ExecutorService collector = Executors.newSingleThreadExecutor();
    try {
      Future<?> collection = CompletableFuture.completedFuture(null);
      for (int i = 0; i < 30; i++) {
        if (collection.isDone()) {
          collection = collector.submit(FreedMemoryTest::collectAndReuse);
        }
        hashes.add(trainer.step(before, batch).state().sha256());
      }
    } finally {
      collector.shutdown();
      trainer.close();
    }

    assertThat(hashes).hasSize(1);
  }

  /** Frees buffers without references from Java, and overwrites their memory. */
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
