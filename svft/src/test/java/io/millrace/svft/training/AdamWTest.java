package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.task.Classification;
import io.millrace.svft.tensor.BatchLayout;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class AdamWTest {
  private static final float[] ALL = {};

  private static final TrainingSettings SETTINGS =
      new TrainingSettings(
          new Classification(),
          AdapterMethod.parse("svft:plain"),
          3e-2,
          1e-2,
          0.9,
          0.999,
          1e-8,
          0.01,
          0,
          0,
          0,
          0,
          10,
          BatchLayout.SEGMENTS,
          Moments.FLOAT32,
          0,
          0);

  private final AdamW optimizer = new AdamW(SETTINGS);

  @Test
  void itFollowsTheAlgorithmInFloat64() {
    Random random = new Random(3);
    float[] values = {0.5f, -2, 0, 1e-4f};
    Parameters parameters = Parameters.initial(values);
    ReferenceAdamW[] reference = new ReferenceAdamW[4];
    for (int i = 0; i < 4; i++) {
      reference[i] = new ReferenceAdamW(SETTINGS, values[i]);
    }

    for (int step = 1; step <= 200; step++) {
      float[] gradient = new float[4];
      for (int i = 0; i < 4; i++) {
        gradient[i] = (float) (Math.pow(10, -i) * random.nextGaussian());
      }
      optimizer.update(parameters, gradient, 0, 4, step, 3e-2, ALL);
      for (int i = 0; i < 4; i++) {
        double expected = reference[i].update(gradient[i], 3e-2);
        assertThat((double) values[i])
            .as("value %d, step %d", i, step)
            .isCloseTo(expected, within(1e-5));
      }
    }
  }

  @Test
  void theFirstUpdateIsAsLongAsTheRateWhateverTheGradient() {
    float[] values = new float[2];

    optimizer.update(Parameters.initial(values), new float[] {1e-3f, -50}, 0, 2, 1, 0.1, ALL);

    assertThat(values).containsExactly(new float[] {-0.1f, 0.1f}, within(1e-5f));
  }

  @Test
  void withoutGradientAValueOnlyDecaysTowardsZero() {
    float[] values = {2};

    optimizer.update(Parameters.initial(values), new float[1], 0, 1, 1, 0.5, ALL);

    assertThat(values[0]).isCloseTo(2 * (1 - 0.5f * 0.01f), within(1e-6f));
  }

  @Test
  void valuesOutsideTheRangeStayAsTheyWere() {
    float[] values = {1, 1, 1};
    Parameters parameters = Parameters.initial(values);

    optimizer.update(parameters, new float[] {1, 1, 1}, 1, 2, 1, 0.1, ALL);

    assertThat(values[0]).isEqualTo(1).isEqualTo(values[2]).isNotEqualTo(values[1]);
    assertThat(parameters.firstMoment()).startsWith(0).endsWith(0);
    assertThat(parameters.secondMoment()).startsWith(0).endsWith(0);
  }
}
