package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.TinyModel;
import io.millrace.svft.engine.Slices;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.BatchLayout;
import io.millrace.svft.tensor.SplitMix64;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A sample of a batch's sequences goes through the backward pass, with the right weights. */
@Tag("unit")
class SampledErrorsTest {
  private static final int BATCH = 24;
  private static final double LIMIT = 0.9;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:plain",
        "svft:banded:2",
        "svft:random:1",
        "svft:gradient:1",
        "svf",
        "lora:2",
        "pissa:2",
        "dora:2",
        "vera:4",
        "lora-xs:3",
        "oft:4",
        "boft:4",
        "hra:2",
        "ia3",
        "bias",
        "norms",
        "full",
        "svft:banded:1;weights=intermediate",
        "head"
      })
  void theGradientIsThatOfTheChosenExamplesWithTheirCounts(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    TrainingSettings all = TrainingSettings.defaults(method);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, method);
        Trainer full = new Trainer(base, all, 1);
        Trainer sampled = new Trainer(base, all.withSampleErrorsBelow(LIMIT), 2)) {
      List<TrainingExample> batch = Sentences.batch(3, BATCH);
      TrainingState state = someSteps(full, batch);
      long[][] ids = ids(base, batch);

      Trainer.Gradients expected = full.gradients(state, batch, ids);
      Trainer.Gradients actual = sampled.gradients(state, batch, ids);

      assertThat(actual.loss()).isCloseTo(expected.loss(), within(1e-5));
      assertClose(actual.head(), expected.head());
      assertClose(actual.values(), ofTheChosen(full, state, batch, ids, expected.logits(), LIMIT));
    }
  }

  @Test
  void onAverageItIsThatOfAllExamples() {
    AdapterMethod method = AdapterMethod.parse("bias;weights=output");
    TrainingSettings all = TrainingSettings.defaults(method);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, method);
        Trainer full = new Trainer(base, all, 1);
        Trainer sampled = new Trainer(base, all.withSampleErrorsBelow(LIMIT), 1)) {
      List<TrainingExample> batch = Sentences.batch(3, 8);
      TrainingState state = someSteps(full, batch);
      long[][] ids = ids(base, batch);
      float[] expected = full.gradients(state, batch, ids).values();
      double[] sum = new double[expected.length];
      double[] squares = new double[expected.length];
      int draws = 1000;
      for (int step = 0; step < draws; step++) {
        float[] one = sampled.gradients(atStep(state, step), batch, ids).values();
        for (int i = 0; i < sum.length; i++) {
          sum[i] += one[i];
          squares[i] += (double) one[i] * one[i];
        }
      }
      double error = 0;
      double variance = 0;
      double norm = 0;
      for (int i = 0; i < sum.length; i++) {
        double mean = sum[i] / draws;
        error += Math.pow(mean - expected[i], 2);
        variance += (squares[i] / draws - mean * mean) / draws;
        norm += Math.pow(expected[i], 2);
      }
      assertThat(variance).as("of the mean").isLessThan(0.04 * norm);
      assertThat(error).isLessThan(4 * variance);
    }
  }

  /** Segments of one sequence each, most of which have no backward pass. */
  @Test
  void longTextsOfWhichAFewAreChosenHaveTheRightGradient() {
    AdapterMethod method = AdapterMethod.parse("svft:plain");
    TrainingSettings all = TrainingSettings.defaults(method);
    String words = String.join(" ", Sentences.ALL.subList(0, 40));
    List<TrainingExample> batch = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      batch.add(new TrainingExample(i + " " + words, i % 3 == 0 ? "a" : "b", 1));
    }
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, method);
        Trainer full = new Trainer(base, all, 1);
        Trainer sampled = new Trainer(base, all.withSampleErrorsBelow(1), 2)) {
      TrainingState state = full.step(full.initialState(), batch).state();
      long[][] ids = ids(base, batch);
      assertThat(Slices.segments(ids, BatchLayout.SEGMENTS)).hasSizeGreaterThan(3);
      float[][] logits = full.gradients(state, batch, ids).logits();

      assertClose(
          sampled.gradients(state, batch, ids).values(),
          ofTheChosen(full, state, batch, ids, logits, 1));
    }
  }

  @Test
  void theWholeBatchIsExactAndOtherLayoutsHaveNoSample() {
    TrainingSettings settings = TrainingSettings.defaults(AdapterMethod.parse("svft:plain"));
    assertThat(settings.withSampleErrorsBelow(0)).isEqualTo(settings);
    assertThatThrownBy(() -> settings.withSampleErrorsBelow(2))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> settings.with(BatchLayout.SLICES).withSampleErrorsBelow(0.5))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("segments");
  }

  /** The gradient of the chosen examples alone, each times its count. */
  private static float[] ofTheChosen(
      Trainer full,
      TrainingState state,
      List<TrainingExample> batch,
      long[][] ids,
      float[][] logits,
      double limit) {
    double[] counts = counts(state, batch, ids, logits, limit);
    List<TrainingExample> chosen = new ArrayList<>();
    List<long[]> chosenIds = new ArrayList<>();
    double total = 0;
    for (int i = 0; i < counts.length; i++) {
      if (counts[i] > 0) {
        TrainingExample each = batch.get(i);
        chosen.add(new TrainingExample(each.text(), each.label(), (float) counts[i]));
        chosenIds.add(ids[i]);
        total += counts[i];
      }
    }
    assertThat(chosen.size()).isBetween(1, counts.length - 1);
    float[] values = full.gradients(state, chosen, chosenIds.toArray(long[][]::new)).values();
    for (int i = 0; i < values.length; i++) {
      values[i] *= (float) (total / counts.length);
    }
    return values;
  }

  private static TrainingState someSteps(Trainer trainer, List<TrainingExample> batch) {
    TrainingState state = trainer.initialState();
    for (int i = 0; i < 6; i++) {
      state = trainer.step(state, batch.subList(0, BATCH / 3)).state();
    }
    return trainer.step(state, batch).state();
  }

  private static TrainingState atStep(TrainingState state, int steps) {
    return new TrainingState(
        state.method(),
        state.labels(),
        state.labelBornAtStep(),
        state.positions(),
        state.scores(),
        state.adapter(),
        state.head(),
        state.means(),
        steps,
        state.examples());
  }

  private static long[][] ids(BaseModel base, List<TrainingExample> batch) {
    return base.tokenize(batch.stream().map(TrainingExample::text).toList());
  }

  /** The counts of the examples, 0 for those that are not chosen, from their logits. */
  private static double[] counts(
      TrainingState state,
      List<TrainingExample> batch,
      long[][] ids,
      float[][] logits,
      double limit) {
    double[] counts = new double[ids.length];
    SplitMix64 random = SplitMix64.seededBy("backward pass of step " + state.steps());
    for (int[] sequences : Slices.segments(ids, BatchLayout.SEGMENTS)) {
      double draw = random.nextFloat();
      double end = 0;
      for (int k = 0; k < sequences.length; k++) {
        double q = Math.min(1, error(state, batch, logits, sequences[k]) / limit);
        double points = Math.ceil(end + q - draw) - Math.max(0, Math.ceil(end - draw));
        counts[sequences[k]] = points / q;
        end += q;
      }
    }
    return counts;
  }

  /** The probability of the labels that are not the example's. */
  private static double error(
      TrainingState state, List<TrainingExample> batch, float[][] logits, int i) {
    double sum = 0;
    for (float logit : logits[i]) {
      sum += Math.exp(logit);
    }
    int label = state.labels().indexOf(batch.get(i).label());
    return 1 - Math.exp(logits[i][label]) / sum;
  }

  private static void assertClose(float[] actual, float[] expected) {
    assertThat(actual).hasSameSizeAs(expected);
    double largest = 0;
    for (float each : expected) {
      largest = Math.max(largest, Math.abs(each));
    }
    for (int i = 0; i < actual.length; i++) {
      assertThat((double) actual[i]).isCloseTo(expected[i], within(1e-4 * largest + 1e-12));
    }
  }
}
