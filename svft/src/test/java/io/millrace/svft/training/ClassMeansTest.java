package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.millrace.svft.Models;
import io.millrace.svft.TinyModel;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ClassMeansTest {
  private static final float[][] VECTORS = {{1, 5}, {3, 5}, {-1, 1}, {-3, 1}};
  private static final float[] TARGETS = {1, 0, 1, 0, 0, 1, 0, 1};

  /** Means (2, 5) and (-2, 1), of all (0, 3); variances 5 and 4. */
  @Test
  void aRowPointsFromTheMeanOfAllToThatOfItsLabelByTheVariances() {
    float[] rows = ClassMeans.NONE.after(10, VECTORS, TARGETS).rows(3);

    double scale = 10 / 2.0 * 2 / (2 + 4.0);
    assertThat(rows).hasSize(9);
    assertThat((double) rows[0]).isCloseTo(scale * 2 / 5, within(1e-5));
    assertThat((double) rows[1]).isCloseTo(scale * 2 / 4, within(1e-5));
    assertThat((double) rows[2]).isCloseTo(-scale * 2 / 4 * 3, within(1e-5));
    assertThat((double) rows[3]).isCloseTo(-scale * 2 / 5, within(1e-5));
    assertThat(List.of(rows[6], rows[7], rows[8])).containsOnly(0f);
  }

  @Test
  void theScaleOfTheVectorsChangesNoScore() {
    float[][] larger = new float[4][2];
    for (int i = 0; i < 4; i++) {
      larger[i] = new float[] {1000 * VECTORS[i][0], 1000 * VECTORS[i][1]};
    }
    float[] rows = ClassMeans.NONE.after(10, VECTORS, TARGETS).rows(2);
    float[] ofLarger = ClassMeans.NONE.after(10, larger, TARGETS).rows(2);

    for (int i = 0; i < 4; i++) {
      double score = rows[0] * VECTORS[i][0] + rows[1] * VECTORS[i][1] + rows[2];
      double same = ofLarger[0] * larger[i][0] + ofLarger[1] * larger[i][1] + ofLarger[2];
      assertThat(same).isCloseTo(score, within(1e-4));
    }
  }

  @Test
  void whatCameLongAgoCountsForNothing() {
    ClassMeans means = ClassMeans.NONE.after(10, VECTORS, TARGETS);
    float[] swapped = {0, 1, 0, 1, 1, 0, 1, 0};
    float[] first = means.rows(2);
    for (int i = 0; i < 1000; i++) {
      means = means.after(10, VECTORS, swapped);
    }

    float[] rows = means.rows(2);
    assertThat(Math.signum(rows[0])).isEqualTo(-Math.signum(first[0]));
    assertThat(rows[2]).isCloseTo(-rows[5], within(1e-3f));
    assertThat(means.sums()[2]).isLessThan(2 / (1 - 0.997f) + 10);
  }

  @Test
  void vectorsThatDoNotVaryGiveRowsOfZero() {
    float[][] same = {{2, 2}, {2, 2}};

    float[] rows = ClassMeans.NONE.after(10, same, new float[] {1, 0, 0, 1}).rows(2);

    assertThat(rows).containsOnly(0f);
  }

  @Test
  void theyComeBackFromAnArray() {
    ClassMeans means = ClassMeans.NONE.after(10, VECTORS, TARGETS);

    assertThat(ClassMeans.of(means.toArray(), 2)).usingRecursiveComparison().isEqualTo(means);
    assertThat(ClassMeans.of(ClassMeans.NONE.toArray(), 2)).isEqualTo(ClassMeans.NONE);
  }

  /** What a step predicts with is what its version holds. */
  @Test
  void aVersionHoldsTheHeadThatPredicts() {
    TrainingSettings settings = TrainingSettings.defaults(AdapterMethod.parse("svft:plain"));
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, settings.method());
        Trainer trainer = new Trainer(base, settings, 1)) {
      List<TrainingExample> batch =
          List.of(
              new TrainingExample("a", "one", 1),
              new TrainingExample("b", "two", 1),
              new TrainingExample("a", "one", 2));

      TrainingState state = trainer.step(trainer.initialState(), batch).state();

      float[] rows = state.means().rows(2);
      float[] served = state.toAdapter(base, "x", 1, "").head();
      assertThat(rows[0]).isNotZero();
      for (int i = 0; i < served.length; i++) {
        assertThat(served[i]).isEqualTo(state.head().values()[i] + rows[i]);
      }
    }
  }
}
