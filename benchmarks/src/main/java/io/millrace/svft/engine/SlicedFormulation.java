package io.millrace.svft.engine;

import ai.djl.ndarray.NDScope;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.task.Head;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/** Millrace's own: packed slices on one thread each, gradients written out. */
final class SlicedFormulation implements StepFormulation {
  private final BaseModel base;
  private final Trainer trainer;
  private final Encoder encoder;
  private final SliceThreads threads;

  SlicedFormulation(BaseModel base, AdapterMethod method, int threads) {
    this.base = base;
    this.trainer = new Trainer(base, TrainingSettings.defaults(method), threads);
    this.encoder = new Encoder(base);
    this.threads = new SliceThreads(threads);
  }

  @Override
  public Trainer.Gradients gradients(
      TrainingState state, List<TrainingExample> batch, long[][] ids) {
    return trainer.gradients(state, batch, ids);
  }

  @Override
  public float[][] embed(TrainingState state, long[][] ids) {
    try (NDScope scope = new NDScope();
        AdaptedModel model = adapted(state)) {
      return embed(model, ids);
    }
  }

  /** The base model with a state's adapter; the caller's scope or the base owns it. */
  AdaptedModel adapted(TrainingState state) {
    return state.toAdapter(base, "benchmark", 1, "").on(base, base.manager());
  }

  /** [sequences, hidden]. */
  float[][] embed(AdaptedModel model, long[][] ids) {
    float[][] embeddings = new float[ids.length][];
    List<int[]> slices = Slices.of(ids);
    List<Callable<float[][]>> tasks = new ArrayList<>();
    for (int[] slice : slices) {
      long[][] sequences = new long[slice.length][];
      for (int i = 0; i < slice.length; i++) {
        sequences[i] = ids[slice[i]];
      }
      tasks.add(() -> embed(new TokenBatch(sequences), model));
    }
    List<float[][]> parts = threads.run(tasks);
    for (int s = 0; s < slices.size(); s++) {
      for (int i = 0; i < slices.get(s).length; i++) {
        embeddings[slices.get(s)[i]] = parts.get(s)[i];
      }
    }
    return embeddings;
  }

  private float[][] embed(TokenBatch slice, AdaptedModel model) {
    try (NDScope scope = new NDScope()) {
      return Head.rows(encoder.embed(slice, model).toFloatArray(), base.config().hidden());
    }
  }

  @Override
  public void close() {
    trainer.close();
    threads.close();
  }
}
