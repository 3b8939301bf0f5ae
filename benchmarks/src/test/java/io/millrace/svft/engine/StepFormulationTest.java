package io.millrace.svft.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.millrace.benchmarks.model.MiniLm;
import io.millrace.benchmarks.model.OnnxEncoder;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.task.Classification;
import io.millrace.svft.training.ClassMeans;
import io.millrace.svft.training.Parameters;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is compared computes the same, on MiniLM with an adapter that is not zero anywhere. */
@Tag("integration")
class StepFormulationTest {
  private static final double TOLERANCE = 1e-4;
  private static ModelFiles miniLm;

  @BeforeAll
  static void prepare() {
    miniLm = MiniLm.files(Path.of(System.getProperty("millrace.test.models")));
  }

  @ParameterizedTest
  @CsvSource({
    "factored-packed, 1",
    "factored-padded, 2",
    "rebuilt-padded, 2",
    "lora-padded, 1",
    "lora-padded, 2"
  })
  void lossAndGradientsAreThoseOfMillrace(String name, int threads) {
    AdapterMethod method = StepFormulation.method(name);
    try (BaseModel base = MiniLm.load(miniLm, method);
        StepFormulation other = StepFormulation.of(name, base, threads);
        StepFormulation millrace = StepFormulation.of(method.spec(), base, 2)) {
      List<TrainingExample> batch = MiniLm.batches(base, 16).get(0);
      long[][] ids = MiniLm.tokenize(base, batch);
      TrainingState state = state(base, method, batch);

      Trainer.Gradients actual = other.gradients(state, batch, ids);
      Trainer.Gradients expected = millrace.gradients(state, batch, ids);

      assertThat(actual.loss()).isCloseTo(expected.loss(), within(TOLERANCE));
      assertClose(actual.values(), expected.values());
      assertClose(actual.head(), expected.head());
      assertSameEmbeddings(other.embed(state, ids), millrace.embed(state, ids));
    }
  }

  @Test
  void unadaptedEmbeddingsAreThoseOfMillraceAndOfOnnxRuntime() {
    AdapterMethod method = StepFormulation.method("dense-padded");
    try (BaseModel base = MiniLm.load(miniLm, method);
        OnnxEncoder onnx = new OnnxEncoder(1);
        StepFormulation padded = StepFormulation.of("dense-padded", base, 1);
        StepFormulation millrace = StepFormulation.of("head", base, 1)) {
      List<TrainingExample> batch = MiniLm.batches(base, 8).get(0);
      long[][] ids = MiniLm.tokenize(base, batch);
      TrainingState state = state(base, method, batch);
      float[][] expected = millrace.embed(state, ids);

      assertSameEmbeddings(padded.embed(state, ids), expected);
      assertSameEmbeddings(onnx.embed(ids), expected);
    }
  }

  private static TrainingState state(
      BaseModel base, AdapterMethod method, List<TrainingExample> batch) {
    try (Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1)) {
      TrainingState zero =
          trainer
              .initialState()
              .withLabels(
                  new Classification(),
                  batch.stream().map(TrainingExample::label).toList(),
                  base.config().hidden());
      return new TrainingState(
          method,
          zero.labels(),
          zero.labelBornAtStep(),
          zero.positions(),
          zero.scores(),
          Parameters.initial(moved(zero.adapter().values(), 0.02, 1)),
          Parameters.initial(moved(zero.head().values(), 0.1, 2)),
          ClassMeans.NONE,
          0,
          0);
    }
  }

  private static float[] moved(float[] values, double deviation, long seed) {
    Random random = new Random(seed);
    float[] moved = values.clone();
    for (int i = 0; i < moved.length; i++) {
      moved[i] += (float) (deviation * random.nextGaussian());
    }
    return moved;
  }

  /** By the largest magnitude of the expected values. */
  private static void assertClose(float[] actual, float[] expected) {
    float largest = 0;
    for (float each : expected) {
      largest = Math.max(largest, Math.abs(each));
    }
    assertThat(actual).containsExactly(expected, within((float) TOLERANCE * largest));
  }

  private static void assertSameEmbeddings(float[][] actual, float[][] expected) {
    assertThat(actual).hasNumberOfRows(expected.length);
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).containsExactly(expected[i], within(1e-5f));
    }
  }
}
