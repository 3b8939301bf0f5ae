package io.millrace.svft.training;

import ai.djl.ndarray.NDScope;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.engine.AdaptedModel;
import io.millrace.svft.engine.Encoder;
import io.millrace.svft.engine.TokenBatch;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.task.Classification;
import java.util.List;
import java.util.Random;

/** States without zeros, for tests of the mathematics. */
public final class RandomState {
  static final List<String> LABELS = List.of("a", "b", "c");

  private RandomState() {}

  /**
   * The trainer's initial state with {@link #LABELS}, plus normally distributed numbers of a given
   * standard deviation in all values and in the head. The same each time.
   */
  public static TrainingState of(Trainer trainer, int hidden, double deviation) {
    return moved(
        trainer.initialState().withLabels(new Classification(), LABELS, hidden), deviation);
  }

  /** The state moved by a random step. */
  static TrainingState moved(TrainingState state, double deviation) {
    return new TrainingState(
        state.method(),
        state.labels(),
        state.labelBornAtStep(),
        state.positions(),
        state.scores(),
        moved(state.adapter(), deviation, 7),
        moved(state.head(), deviation, 8),
        state.means(),
        state.steps(),
        state.examples());
  }

  private static Parameters moved(Parameters parameters, double deviation, long seed) {
    return new Parameters(
        moved(parameters.values(), deviation, seed),
        parameters.firstMoment(),
        parameters.secondMoment());
  }

  private static float[] moved(float[] values, double deviation, long seed) {
    Random random = new Random(seed);
    float[] moved = values.clone();
    for (int i = 0; i < moved.length; i++) {
      moved[i] += (float) (deviation * random.nextGaussian());
    }
    return moved;
  }

  /** The encoder's vectors of token ids with the adapter of a state, [texts, hidden], row-major. */
  public static float[] embed(BaseModel base, TrainingState state, long[][] ids) {
    Adapter adapter = state.toAdapter(base, "domain", 1, "");
    try (NDScope scope = new NDScope();
        AdaptedModel model = adapter.on(base, base.manager())) {
      return new Encoder(base).embed(new TokenBatch(ids), model).toFloatArray();
    }
  }
}
