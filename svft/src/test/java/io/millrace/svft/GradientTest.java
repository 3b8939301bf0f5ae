package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * The step's gradients, in float32, against central differences of the loss that {@link
 * ReferenceEncoder} gives in float64: every value of M and of the head, at a state that is not
 * zero.
 */
@ExtendWith(Models.class)
class GradientTest {
  private static final float STEP = 1f / 1024;

  private final List<TrainingExample> batch =
      List.of(
          new TrainingExample("The kettle is on.", "a", 1),
          new TrainingExample("Why would anyone do that?", "b", 3),
          new TrainingExample("No.", "c", 0.5f),
          new TrainingExample("Measure twice, cut once.", "a", 1));
  private final BaseModel base;
  private final ReferenceEncoder reference;
  private final TrainingState state;
  private final Trainer.Gradients gradients;

  GradientTest(@Models.Tiny BaseModel base) {
    this.base = base;
    this.reference =
        new ReferenceEncoder(new ModelFiles("tiny", base.directory(), base.config(), "", "", ""));
    this.state = someState();
    TokenBatch tokens = base.tokenize(batch.stream().map(TrainingExample::text).toList());
    Trainer trainer = new Trainer(base, TrainingSettings.defaults(TrainingSettings.Method.SVFT));
    this.gradients = trainer.gradients(state, batch, tokens);
  }

  @Test
  void theLossIsTheWeightedMeanCrossEntropy() {
    assertThat(gradients.loss()).isCloseTo(loss(state.values(), state.head()), within(1e-5));
  }

  @Test
  void theGradientOfMIsTheSlopeOfTheLoss() {
    assertSlopes(gradients.values(), state.values(), m -> loss(m, state.head()));
  }

  @Test
  void theGradientOfTheHeadIsTheSlopeOfTheLoss() {
    assertSlopes(gradients.head(), state.head(), head -> loss(state.values(), head));
  }

  private interface Loss {
    double at(float[] values);
  }

  /** Within 1e-4 of the largest: float32 has seven digits, and the differences err by STEP². */
  private static void assertSlopes(float[] gradient, float[] values, Loss loss) {
    double largest =
        IntStream.range(0, gradient.length)
            .mapToDouble(i -> Math.abs(gradient[i]))
            .max()
            .orElseThrow();
    for (int i = 0; i < gradient.length; i++) {
      float[] up = values.clone();
      float[] down = values.clone();
      up[i] += STEP;
      down[i] -= STEP;
      double slope = (loss.at(up) - loss.at(down)) / ((double) up[i] - down[i]);
      assertThat((double) gradient[i]).as("value %d", i).isCloseTo(slope, within(1e-4 * largest));
    }
  }

  private double loss(float[] m, float[] head) {
    long[][] ids = base.tokenize(batch.stream().map(TrainingExample::text).toList()).ids();
    double loss = 0;
    for (int i = 0; i < ids.length; i++) {
      double[] pooled = reference.embed(ids[i], m);
      double[] logits = new double[state.labels().size()];
      double total = 0;
      for (int label = 0; label < logits.length; label++) {
        logits[label] = head[label * 17 + 16];
        for (int j = 0; j < 16; j++) {
          logits[label] += head[label * 17 + j] * pooled[j];
        }
        total += Math.exp(logits[label]);
      }
      int target = state.labels().indexOf(batch.get(i).label());
      loss += batch.get(i).weight() / 5.5 * (Math.log(total) - logits[target]);
    }
    return loss;
  }

  private static TrainingState someState() {
    Random random = new Random(7);
    TrainingState state =
        TrainingState.initial(TrainingSettings.Method.SVFT, TinyModel.CONFIG)
            .withLabels(List.of("a", "b", "c"), 16);
    for (float[] array : List.of(state.values(), state.head())) {
      for (int i = 0; i < array.length; i++) {
        array[i] = (float) (0.2 * random.nextGaussian());
      }
    }
    return state;
  }
}
