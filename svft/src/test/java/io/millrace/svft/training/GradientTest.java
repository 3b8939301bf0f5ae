package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.millrace.svft.Differences;
import io.millrace.svft.Models;
import io.millrace.svft.ReferenceEncoder;
import io.millrace.svft.Sentences;
import io.millrace.svft.TinyModel;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.BandedPattern;
import io.millrace.svft.method.Positions;
import io.millrace.svft.method.ScoredPositions;
import io.millrace.svft.method.Svft;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.task.Classification;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Compares the gradients of a step, in float32, with central differences of the loss that {@link
 * ReferenceEncoder} computes in float64, at a state without zeros: for every method, every pattern,
 * every lowest adapted weight, and every family of encoders. The gradient of DoRA is not the slope:
 * it takes norms as constant. {@link PeftReferenceTest} compares it with PEFT's.
 */
@Tag("integration")
class GradientTest {
  private static final float STEP = 1f / 1024;
  private static final EncoderConfig BERT = TinyModel.CONFIG;
  private static final List<TrainingExample> BATCH =
      List.of(
          new TrainingExample("The kettle is on.", "a", 1),
          new TrainingExample("Why would anyone do that?", "b", 3),
          new TrainingExample("No.", "c", 0.5f),
          new TrainingExample("Measure twice, cut once.", "a", 1));

  record Case(String method, EncoderConfig config) {
    @Override
    public String toString() {
      return method + " on " + config.architecture().id() + ", " + config.pooling().id();
    }
  }

  static Stream<Case> cases() {
    List<Case> cases = new ArrayList<>();
    Stream.of(
            "svft:plain",
            "svft:banded:0",
            "svft:banded:1",
            "svft:banded:3",
            "svft:banded:8",
            "svft:banded:9",
            "svft:banded:40",
            "svft:random:1:5",
            "svft:random:20",
            "svft:top-k:1",
            "svft:gradient:1",
            "svft:plain;rank=5",
            "svft:banded:1;rank=7",
            "svft:random:2;rank=6",
            "svft:plain;rank=1",
            "lora:3",
            "lora:1;alpha=0.5",
            "lora:4;scaling=root-rank",
            "pissa:3",
            "pissa:40;alpha=2",
            "vera:5",
            "vera:40;start=0.7;seed=3",
            "lora-xs:4",
            "lora-xs:100",
            "oft:4",
            "oft:8",
            "boft:4",
            "boft:2;factors=3",
            "boft:8;factors=1",
            "hra:4",
            "hra:2",
            "ia3",
            "ia3;weights=query+intermediate",
            "bias",
            "norms",
            "full",
            "svf",
            "head")
        .forEach(method -> cases.add(new Case(method, BERT)));
    for (WeightRole role : WeightRole.values()) {
      cases.add(new Case("svft:banded:1;weights=" + role.id(), BERT));
      cases.add(new Case("lora:2;weights=" + role.id(), BERT));
      cases.add(new Case("full;weights=" + role.id(), BERT));
    }
    cases.add(new Case("svft:plain;weights=query+output", BERT));
    cases.add(new Case("lora:2;weights=key+intermediate", BERT));
    for (Architecture architecture : Architecture.values()) {
      for (Pooling pooling : Pooling.values()) {
        cases.add(new Case("svft:banded:1", TinyModel.config(architecture, pooling)));
      }
      cases.add(new Case("lora:2", TinyModel.config(architecture, Pooling.FIRST_TOKEN)));
      cases.add(new Case("norms", TinyModel.config(architecture, Pooling.FIRST_TOKEN)));
    }
    return cases.stream();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void theGradientIsTheSlopeOfTheLoss(Case each) {
    AdapterMethod method = AdapterMethod.parse(each.method());
    try (BaseModel base = Models.tiny(each.config(), method);
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1)) {
      Run run = new Run(base, method, someState(base, trainer));

      run.assertSlopes(trainer.gradients(run.state, BATCH, run.ids));
    }
  }

  /**
   * Until its positions are chosen, a gradient pattern needs the gradient of all of M, at M = 0.
   */
  @ParameterizedTest
  @MethodSource("scoring")
  void whilePositionsAreToBeChosenTheGradientIsThatOfAllOfM(String text) {
    Svft method = (Svft) AdapterMethod.parse(text);
    AdapterMethod all = new Svft(new BandedPattern(15), method.rank(), method.weights());
    try (BaseModel base = Models.tiny(BERT, method);
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1);
        Trainer ofAll = new Trainer(base, TrainingSettings.defaults(all), 1)) {
      TrainingState state = RandomState.of(trainer, BERT.hidden(), 0.2);
      TrainingState zero =
          ofAll.initialState().withLabels(new Classification(), RandomState.LABELS, BERT.hidden());
      System.arraycopy(
          state.head().values(), 0, zero.head().values(), 0, state.head().values().length);
      Run run = new Run(base, all, zero);

      assertThat(state.scores()).hasSameSizeAs(zero.adapter().values());
      run.assertSlopes(trainer.gradients(state, BATCH, run.ids));
    }
  }

  static Stream<String> scoring() {
    return Stream.of(
        "svft:gradient:1", "svft:gradient:1;rank=5", "svft:gradient:2;weights=value+output");
  }

  /**
   * A server holds all weights of the base model as their factors. Weights that are not adapted
   * have no gradient.
   */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "lora:3",
        "lora:2;weights=value+output",
        "dora:2;weights=key+output",
        "vera:3",
        "oft:4",
        "boft:4;weights=query+intermediate",
        "hra:4",
        "ia3",
        "bias;weights=value+output",
        "norms",
        "head",
        "svft:plain;weights=value",
        "svft:plain;weights=query+output",
        "svft:banded:1;weights=key",
        "svft:random:1;weights=intermediate",
        "svft:gradient:1;weights=value+output"
      })
  void howTheOtherWeightsAreHeldDoesNotMatter(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    TrainingSettings settings = TrainingSettings.defaults(method);
    try (BaseModel own = Models.tiny(BERT, method);
        BaseModel factored = Models.tiny(BERT, AdapterMethod.parse("svft"));
        Trainer onOwn = new Trainer(own, settings, 1);
        Trainer onFactored = new Trainer(factored, settings, 1)) {
      TrainingState state = RandomState.of(onOwn, BERT.hidden(), 0.2);
      long[][] ids = ids(own, BATCH);
      Trainer.Gradients expected = onOwn.gradients(state, BATCH, ids);
      Trainer.Gradients actual = onFactored.gradients(state, BATCH, ids);

      assertThat(Differences.largest(actual.values(), expected.values())).isLessThan(1e-5);
      assertThat(Differences.largest(actual.head(), expected.head())).isLessThan(1e-5);
    }
  }

  @Test
  void whatAMethodComputesWithMustHaveBeenLoaded() {
    AdapterMethod svft = AdapterMethod.parse("svft:plain");
    AdapterMethod full = AdapterMethod.parse("full");
    try (BaseModel dense = Models.tiny(BERT, full);
        BaseModel factored = Models.tiny(BERT, svft);
        Trainer onDense = new Trainer(dense, TrainingSettings.defaults(svft), 1);
        Trainer onFactored = new Trainer(factored, TrainingSettings.defaults(full), 1)) {
      TrainingState zero = onDense.initialState();
      String query = "encoder.layer.0.attention.self.query";

      assertThatThrownBy(() -> onDense.step(zero, BATCH))
          .isInstanceOf(AdapterException.class)
          .hasMessage("the base model was loaded without the singular basis of " + query);
      assertThatThrownBy(onFactored::initialState)
          .isInstanceOf(AdapterException.class)
          .hasMessageStartingWith("the base model was loaded with the singular basis of " + query);
    }
  }

  /** Compares a batch of long sequences in several slices with each example on its own. */
  @ParameterizedTest
  @MethodSource("oneOfEachKind")
  void theGradientOfABatchIsTheSumOfItsExamples(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    List<TrainingExample> batch = Sentences.batch(0, 60);
    try (BaseModel base = Models.tiny(BERT, method);
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 2)) {
      TrainingState state = RandomState.of(trainer, BERT.hidden(), 0.2);
      Trainer.Gradients together = trainer.gradients(state, batch, ids(base, batch));
      double[] sum = new double[together.values().length];
      double[] headSum = new double[together.head().length];
      double loss = 0;
      for (int i = 0; i < batch.size(); i++) {
        List<TrainingExample> alone = batch.subList(i, i + 1);
        Trainer.Gradients own = trainer.gradients(state, alone, ids(base, alone));
        loss += own.loss() / batch.size();
        add(sum, own.values(), batch.size());
        add(headSum, own.head(), batch.size());
        assertThat(Differences.largest(together.logits()[i], own.logits()[0])).isLessThan(1e-4);
      }

      assertThat(together.loss()).isCloseTo(loss, within(1e-5));
      assertSame(together.values(), sum);
      assertSame(together.head(), headSum);
    }
  }

  static Stream<String> oneOfEachKind() {
    return Stream.of(
        "svft:plain",
        "svft:banded:2",
        "svft:random:1",
        "svft:gradient:1",
        "lora:2",
        "pissa:2",
        "dora:2",
        "vera:4",
        "lora-xs:4",
        "oft:4",
        "boft:4",
        "hra:4",
        "ia3",
        "bias",
        "norms",
        "full");
  }

  private static void add(double[] sum, float[] term, int share) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] += (double) term[i] / share;
    }
  }

  private static void assertSame(float[] actual, double[] expected) {
    double largest = Arrays.stream(expected).map(Math::abs).max().orElse(0);
    for (int i = 0; i < expected.length; i++) {
      assertThat((double) actual[i]).isCloseTo(expected[i], within(1e-4 * largest));
    }
  }

  /** For a gradient pattern, the state after its choice of positions. */
  private static TrainingState someState(BaseModel base, Trainer trainer) {
    TrainingState state = RandomState.of(trainer, base.config().hidden(), 0.2);
    if (state.scores().length == 0) {
      return state;
    }
    Svft method = (Svft) state.method();
    AdapterLayout layout = AdapterLayout.of(base.config(), method);
    float[] scores = trainer.gradients(state, BATCH, ids(base, BATCH)).values();
    for (int i = 0; i < scores.length; i++) {
      scores[i] = Math.abs(scores[i]);
    }
    int[] chosen = ScoredPositions.choose(layout, method.pattern(), scores).positions();
    TrainingState first =
        TrainingState.initial(method, chosen, new float[0], new float[layout.size()])
            .withLabels(new Classification(), RandomState.LABELS, base.config().hidden());
    return RandomState.moved(first, 0.2);
  }

  private static long[][] ids(BaseModel base, List<TrainingExample> batch) {
    return base.tokenize(batch.stream().map(TrainingExample::text).toList());
  }

  private static final class Run {
    private final ReferenceEncoder reference;
    private final AdapterMethod method;
    private final AdapterLayout layout;
    private final List<Positions> positions;
    private final int hidden;
    private final TrainingState state;
    private final long[][] ids;

    Run(BaseModel base, AdapterMethod method, TrainingState state) {
      this.reference = ReferenceEncoder.of(base);
      this.method = method;
      this.layout = AdapterLayout.of(base.config(), method);
      this.positions = layout.positions(state.positions());
      this.hidden = base.config().hidden();
      this.state = state;
      this.ids = ids(base, BATCH);
    }

    void assertSlopes(Trainer.Gradients gradients) {
      assertThat(gradients.loss())
          .isCloseTo(loss(state.adapter().values(), state.head().values()), within(1e-5));
      assertThat(gradients.values()).hasSameSizeAs(state.adapter().values());
      assertSlopes(
          gradients.values(),
          state.adapter().values(),
          values -> loss(values, state.head().values()));
      List<double[]> pooled = pooled(state.adapter().values());
      assertSlopes(gradients.head(), state.head().values(), head -> headLoss(pooled, head));
    }

    /**
     * Checks gradients to within 1e-4 of the largest one: float32 has seven digits, and the central
     * differences have an error of order STEP². Of more than 400 values, it checks some hundreds,
     * spread over all weights.
     */
    private static void assertSlopes(float[] gradient, float[] values, Loss loss) {
      double largest =
          IntStream.range(0, gradient.length)
              .mapToDouble(i -> Math.abs(gradient[i]))
              .max()
              .orElse(0);
      for (int i = 0; i < gradient.length; i += gradient.length / 200 | 1) {
        float[] up = values.clone();
        float[] down = values.clone();
        up[i] += STEP;
        down[i] -= STEP;
        double slope = (loss.at(up) - loss.at(down)) / ((double) up[i] - down[i]);
        assertThat((double) gradient[i]).as("value %d", i).isCloseTo(slope, within(1e-4 * largest));
      }
    }

    private List<double[]> pooled(float[] values) {
      ReferenceEncoder.Weights weights = reference.weights(method, layout, positions, values);
      return Arrays.stream(ids).map(sequence -> reference.embed(sequence, weights)).toList();
    }

    private double loss(float[] values, float[] head) {
      return headLoss(pooled(values), head);
    }

    private double headLoss(List<double[]> pooled, float[] head) {
      int row = hidden + 1;
      double loss = 0;
      for (int i = 0; i < ids.length; i++) {
        double[] logits = new double[state.labels().size()];
        double total = 0;
        for (int label = 0; label < logits.length; label++) {
          logits[label] = head[label * row + hidden];
          for (int j = 0; j < hidden; j++) {
            logits[label] += head[label * row + j] * pooled.get(i)[j];
          }
          total += Math.exp(logits[label]);
        }
        int target = state.labels().indexOf(BATCH.get(i).label());
        loss += BATCH.get(i).weight() / 5.5 * (Math.log(total) - logits[target]);
      }
      return loss;
    }
  }

  private interface Loss {
    double at(float[] values);
  }
}
