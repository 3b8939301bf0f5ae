package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.Floats;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@Tag("unit")
@ExtendWith(Models.class)
class MomentsTest {
  private static final int SIZE = 10_000;

  private static Parameters of(float moment) {
    Parameters parameters = Parameters.initial(new float[SIZE]);
    Arrays.fill(parameters.firstMoment(), moment);
    Arrays.fill(parameters.secondMoment(), Math.abs(moment));
    return parameters;
  }

  private static double mean(float[] values) {
    double sum = 0;
    for (float value : values) {
      sum += value;
    }
    return sum / values.length;
  }

  @Test
  void roundingIsRightOnAverageAndToOneOfTheTwoNeighbours() {
    float moment = -0.7123f;
    Parameters parameters = of(moment);

    Moments.BFLOAT16.round(parameters, 3);

    assertThat(Floats.allBFloat16(parameters.firstMoment())).isTrue();
    assertThat(Floats.allBFloat16(parameters.secondMoment())).isTrue();
    assertThat(mean(parameters.firstMoment())).isCloseTo(moment, within(1e-4));
    assertThat(mean(parameters.secondMoment())).isCloseTo(-moment, within(1e-4));
    for (float value : parameters.firstMoment()) {
      assertThat(value).isBetween(-0.71484375f, -0.7109375f);
    }
  }

  /** Rounded to the nearest value, it would stay where it is. */
  @Test
  void aMomentThatFallsByAThousandthAStepFalls() {
    Parameters parameters = of(1);
    for (int step = 1; step <= 1000; step++) {
      for (int i = 0; i < SIZE; i++) {
        parameters.secondMoment()[i] *= 0.999f;
      }
      Moments.BFLOAT16.round(parameters, step);
    }

    assertThat(mean(parameters.secondMoment())).isCloseTo(Math.pow(0.999, 1000), within(2e-3));
  }

  @Test
  void theDrawsDependOnTheStepAndOnNothingElse() {
    Parameters one = of(0.3f);
    Parameters again = of(0.3f);
    Parameters later = of(0.3f);
    Moments.BFLOAT16.round(one, 7);
    Moments.BFLOAT16.round(again, 7);
    Moments.BFLOAT16.round(later, 8);

    assertThat(again.firstMoment()).isEqualTo(one.firstMoment());
    assertThat(later.firstMoment()).isNotEqualTo(one.firstMoment());
    assertThat(one.secondMoment()).isNotEqualTo(one.firstMoment());
  }

  @Test
  void whatIsABFloat16ValueStays() {
    for (float exact : List.of(0f, -0f, 1f, -2.5f, Float.MIN_NORMAL, 0x1.fep127f)) {
      Parameters parameters = of(exact);
      Moments.BFLOAT16.round(parameters, 1);
      assertThat(parameters.firstMoment()).containsOnly(exact);
    }
    Parameters untouched = of(0.3f);
    Moments.FLOAT32.round(untouched, 1);
    assertThat(untouched.firstMoment()).containsOnly(0.3f);
  }

  /** Half the precision of the moments must not show in what is learnt. */
  @Test
  void trainingLosesNothing(@Models.Tiny BaseModel base) {
    TrainingSettings settings = TrainingSettings.defaults(AdapterMethod.parse("svft:plain"));
    double full = lossAfter(base, settings);
    double half = lossAfter(base, settings.with(Moments.BFLOAT16));

    assertThat(half).isCloseTo(full, within(0.1 * full));
  }

  private static double lossAfter(BaseModel base, TrainingSettings settings) {
    try (Trainer trainer = new Trainer(base, settings, 1)) {
      TrainingState state = trainer.initialState();
      double sum = 0;
      for (int step = 0; step < 60; step++) {
        StepResult result = trainer.step(state, Sentences.batch(8 * step % 40, 8));
        state = result.state();
        sum += step < 40 ? 0 : result.loss() / 20;
      }
      return sum;
    }
  }

  @Test
  void anUnknownFormatIsRefused() {
    assertThat(Moments.of("bfloat16")).isEqualTo(Moments.BFLOAT16);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Moments.of("float16"))
        .withMessageContaining("float32 or bfloat16");
  }
}
