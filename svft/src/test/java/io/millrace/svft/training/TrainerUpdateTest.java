package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.task.Classification;
import io.millrace.svft.tensor.BatchLayout;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Compares the update of a step with {@link ReferenceAdamW}. */
@Tag("unit")
@ExtendWith(Models.class)
class TrainerUpdateTest {
  private static final TrainingSettings PLAIN = with(0, 0);
  private static final List<TrainingExample> BATCH = Sentences.batch(3, 6);

  private final BaseModel base;

  TrainerUpdateTest(@Models.Tiny BaseModel base) {
    this.base = base;
  }

  @Test
  void mAndHeadFollowAdamWEachAtItsOwnRate() {
    Run run = new Run(PLAIN);
    ReferenceAdamW m = new ReferenceAdamW(PLAIN, 0);
    ReferenceAdamW bias = new ReferenceAdamW(PLAIN, 0);

    for (int step = 1; step <= 10; step++) {
      Trainer.Gradients gradients = run.step(BATCH);
      assertClose(run.state.adapter().values()[40], m.update(gradients.values()[40], 3e-2));
      assertClose(run.state.head().values()[16], bias.update(gradients.head()[16], 1e-2));
    }
  }

  @Test
  void aRowOfTheHeadCountsItsOwnUpdates() {
    Run run = new Run(PLAIN);
    for (int step = 1; step <= 5; step++) {
      run.step(BATCH);
    }
    ReferenceAdamW born = new ReferenceAdamW(PLAIN, 0);

    for (int step = 6; step <= 10; step++) {
      Trainer.Gradients gradients = run.step(List.of(new TrainingExample("42", "new", 1)));
      assertClose(
          run.state.head().values()[3 * 17 + 16], born.update(gradients.head()[3 * 17 + 16], 1e-2));
    }
  }

  @Test
  void warmUpRaisesBothRatesLinearly() {
    TrainingSettings settings = with(4, 0);
    Run run = new Run(settings);
    ReferenceAdamW m = new ReferenceAdamW(settings, 0);
    ReferenceAdamW bias = new ReferenceAdamW(settings, 0);

    for (int step = 1; step <= 6; step++) {
      Trainer.Gradients gradients = run.step(BATCH);
      double share = Math.min(1, step / 4.0);
      assertClose(run.state.adapter().values()[40], m.update(gradients.values()[40], 3e-2 * share));
      assertClose(run.state.head().values()[16], bias.update(gradients.head()[16], 1e-2 * share));
    }
  }

  /** The first moment is a tenth of the first gradient that is not zero. */
  @Test
  void gradientsOfMAndOfTheHeadAreClippedEachAsAWhole() {
    Run run = new Run(with(0, 1e-3));

    float[] head = run.step(BATCH).head();
    assertScaled(run.state.head().firstMoment(), head, 1e-4);

    float[] m = run.step(BATCH).values();
    assertScaled(run.state.adapter().firstMoment(), m, 1e-4);
  }

  @Test
  void gradientsBelowTheLimitAreNotClipped() {
    String clipped = new Run(with(0, 1e6)).after(BATCH);

    assertThat(clipped).isEqualTo(new Run(PLAIN).after(BATCH));
  }

  private static TrainingSettings with(int warmupSteps, double maxGradientNorm) {
    return new TrainingSettings(
        new Classification(),
        AdapterMethod.parse("svft:plain"),
        3e-2,
        1e-2,
        0.9,
        0.999,
        1e-8,
        0.01,
        warmupSteps,
        0,
        0,
        maxGradientNorm,
        10,
        BatchLayout.SEGMENTS,
        Moments.FLOAT32,
        0,
        0);
  }

  private static void assertClose(float actual, double expected) {
    assertThat((double) actual).isCloseTo(expected, within(1e-6));
  }

  private static void assertScaled(float[] actual, float[] gradient, double norm) {
    assertThat(norm(gradient)).isGreaterThan(10 * norm);
    for (int i = 0; i < gradient.length; i++) {
      double expected = gradient[i] * norm / norm(gradient);
      assertThat((double) actual[i]).isCloseTo(expected, within(1e-9));
    }
  }

  private static double norm(float[] values) {
    double squares = 0;
    for (float value : values) {
      squares += (double) value * value;
    }
    return Math.sqrt(squares);
  }

  private final class Run {
    private final Trainer trainer;
    private TrainingState state;

    Run(TrainingSettings settings) {
      trainer = new Trainer(base, settings, 1);
      state = trainer.initialState();
    }

    /** Takes a step and returns the gradients that it used. */
    Trainer.Gradients step(List<TrainingExample> batch) {
      TrainingState grown =
          state.withLabels(
              new Classification(), batch.stream().map(TrainingExample::label).toList(), 16);
      long[][] ids = base.tokenize(batch.stream().map(TrainingExample::text).toList());
      Trainer.Gradients gradients = trainer.gradients(grown, batch, ids);
      state = trainer.step(state, batch).state();
      return gradients;
    }

    String after(List<TrainingExample> batch) {
      step(batch);
      return state.sha256();
    }
  }
}
