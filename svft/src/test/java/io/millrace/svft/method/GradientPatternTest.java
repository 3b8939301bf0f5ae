package io.millrace.svft.method;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class GradientPatternTest {
  @Test
  void theLargestScoresAreTakenWhereverTheyStand() {
    float[] scores = {
      0.1f, 0.9f, 0.2f, //
      0.3f, 0.0f, 0.8f, //
      0.7f, 0.4f, 0.5f
    };

    assertThat(new GradientPattern(0).choose(scores, 3).flat(3)).containsExactly(1, 5, 6);
    assertThat(new GradientPattern(1).choose(scores, 3).flat(3))
        .containsExactly(1, 2, 3, 5, 6, 7, 8);
    assertThat(new GradientPattern(2).choose(scores, 3).size()).isEqualTo(9);
  }

  @Test
  void equalScoresAreTakenInRowMajorOrder() {
    float[] scores = {
      2, 5, 2, //
      2, 2, 5, //
      -0f, 2, 0
    };

    assertThat(new GradientPattern(0).choose(scores, 3).flat(3)).containsExactly(0, 1, 5);
    assertThat(new GradientPattern(0).choose(new float[9], 3).flat(3)).containsExactly(0, 1, 2);
    assertThat(new GradientPattern(1).choose(scores, 3).flat(3))
        .containsExactly(0, 1, 2, 3, 4, 5, 7);
  }

  @Test
  void negativeZeroTiesWithZero() {
    float[] scores = {-0f, 0f, -0f, 1f};

    assertThat(new GradientPattern(0).choose(scores, 2).flat(2)).containsExactly(0, 3);
  }

  @Test
  void noPlaceLeftOutScoresMoreThanOneTaken() {
    int n = 50;
    Random random = new Random(17);
    float[] scores = new float[n * n];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = random.nextInt(200);
    }

    int[] flat = new GradientPattern(3).choose(scores, n).flat(n);

    assertThat(flat).hasSize(new GradientPattern(3).size(n)).doesNotHaveDuplicates();
    double smallestTaken = IntStream.of(flat).mapToDouble(p -> scores[p]).min().orElseThrow();
    int lastTieTaken = IntStream.of(flat).filter(p -> scores[p] == smallestTaken).max().orElse(-1);
    assertThat(IntStream.range(0, n * n).filter(p -> IntStream.of(flat).noneMatch(q -> q == p)))
        .allSatisfy(
            p -> {
              assertThat((double) scores[p]).isLessThanOrEqualTo(smallestTaken);
              assertThat(scores[p] == smallestTaken && p < lastTieTaken).isFalse();
            });
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, -1e-9f})
  void aScoreThatIsNoSumOfAbsoluteGradientsIsRefusedByPlace(float score) {
    float[] scores = new float[9];
    scores[5] = score;

    assertThatIllegalArgumentException()
        .isThrownBy(() -> new GradientPattern(1).choose(scores, 3))
        .withMessage("the score of (1, 2) is %s: not a sum of absolute gradients", score);
  }

  @Test
  void scoresOfAnotherShapeAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new GradientPattern(1).choose(new float[8], 3))
        .withMessage("8 scores for 3 × 3");
  }

  @Test
  void aWeightAloneDoesNotTellThePlaces() {
    assertThatIllegalStateException()
        .isThrownBy(() -> new GradientPattern(1).positions(new Site("query", 8, 8, 8)))
        .withMessage("gradient:1 of query is chosen from gradients, not from the weight");
  }
}
