package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.millrace.svft.Differences;
import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.TinyModel;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.task.Classification;
import io.millrace.svft.tensor.BatchLayout;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@Tag("unit")
@ExtendWith(Models.class)
class TrainerTest {
  private static final AdapterMethod SVFT = AdapterMethod.parse("svft:plain");
  private static final AdapterMethod HEAD = AdapterMethod.parse("head");
  private static final int ROW = TinyModel.CONFIG.hidden() + 1;

  private final BaseModel base;
  private final Trainer trainer;

  TrainerTest(@Models.Tiny BaseModel base) {
    this.base = base;
    this.trainer = new Trainer(base, TrainingSettings.defaults(SVFT), 1);
  }

  @Test
  void trainingOnTheSameExamplesLowersTheirLoss() {
    List<TrainingExample> batch = Sentences.batch(3, 6);
    StepResult first = trainer.step(trainer.initialState(), batch);
    StepResult last = first;
    for (int i = 0; i < 30; i++) {
      last = trainer.step(last.state(), batch);
    }

    assertThat(first.loss()).isCloseTo(Math.log(3), within(1e-5));
    assertThat(last.loss()).isLessThan(0.1);
    assertThat(last.correct()).containsOnly(true);
    assertThat(last.state().adapter().values()).isNotEqualTo(first.state().adapter().values());
  }

  @Test
  void aStepLeavesTheStateItCameFromUntouched() {
    TrainingState before = trained(Sentences.batch(3, 4));
    String hash = before.sha256();

    StepResult result = trainer.step(before, Sentences.batch(8, 4));

    assertThat(before.sha256()).isEqualTo(hash).isNotEqualTo(result.state().sha256());
    assertThat(result.state().steps()).isEqualTo(before.steps() + 1);
    assertThat(result.state().examples()).isEqualTo(before.examples() + 4);
  }

  @Test
  void itPredictsBeforeItTrains() {
    List<TrainingExample> batch = List.of(example("Hi!", "a"), example("No.", "a"));

    assertThat(trainer.step(trainer.initialState(), batch).correct()).containsExactly(false, false);
    assertThat(trainer.step(trained(batch), batch).correct()).containsExactly(true, true);
  }

  @Test
  void onlyLabelsKnownBeforeTheBatchAreBelieved() {
    TrainingState knowsA = trained(List.of(example("Hi!", "a")));

    StepResult result = trainer.step(knowsA, List.of(example("Hi!", "b"), example("Hi!", "a")));

    assertThat(result.correct()).containsExactly(false, true);
  }

  /** Minus a sum of zeros is -0.0, which people and JSON would see. */
  @Test
  void aLossOfNothingHasNoSign() {
    double loss = trainer.step(trainer.initialState(), List.of(example("Hi!", "a"))).loss();

    assertThat(Double.doubleToRawLongBits(loss)).isZero();
  }

  @Test
  void aNewLabelStartsAtAZeroRow() {
    TrainingState before = trained(Sentences.batch(3, 2));

    float[] logits = trainer.step(before, List.of(example("No.", "new"))).logits()[0];

    assertThat(logits[0]).isNotZero();
    assertThat(logits[1]).isNotZero();
    assertThat(logits[2]).isZero();
  }

  @Test
  void aBatchOfLabelsNobodyHasSeenTrainsLikeAnyOther() {
    TrainingState before = trained(List.of(example("Hi!", "a"), example("No.", "b")));

    StepResult result =
        trainer.step(before, List.of(example("Rain again.", "c"), example("42", "d")));

    assertThat(result.correct()).containsOnly(false);
    assertThat(result.state().labels()).containsExactly("a", "b", "c", "d");
    assertThat(result.state().labelBornAtStep()).containsExactly(0, 0, 1, 1);
    assertThat(result.state().head().values()).hasSize(4 * ROW);
    assertThat(Arrays.copyOfRange(result.state().head().values(), 3 * ROW, 4 * ROW))
        .doesNotContain(0);
  }

  @Test
  void anExampleOfThreefoldWeightCountsAsThree() {
    TrainingState before = trained(Sentences.batch(3, 4));
    TrainingExample heavy = new TrainingExample("The kettle is on.", "a", 3);
    TrainingExample once = example("The kettle is on.", "a");
    TrainingExample other = example("Rain again, all week.", "b");

    Trainer.Gradients weighted = gradients(before, List.of(heavy, other));
    Trainer.Gradients repeated = gradients(before, List.of(once, once, once, other));

    assertThat(weighted.loss()).isCloseTo(repeated.loss(), within(1e-5));
    assertThat(Differences.largest(weighted.head(), repeated.head())).isLessThan(1e-5);
    assertThat(Differences.largest(weighted.values(), repeated.values())).isLessThan(1e-5);
  }

  @Test
  void onlySharesOfTheWeightMatter() {
    TrainingState before = trained(Sentences.batch(3, 4));
    List<TrainingExample> light =
        List.of(new TrainingExample("Hi!", "a", 1), new TrainingExample("No.", "b", 2));
    List<TrainingExample> heavy =
        List.of(
            new TrainingExample("Hi!", "a", 0x1p126f), new TrainingExample("No.", "b", 0x1p127f));

    assertThat(trainer.step(before, heavy).state().sha256())
        .isEqualTo(trainer.step(before, light).state().sha256());
  }

  @Test
  void theMethodHeadTrainsTheHeadAlone() {
    Trainer head = new Trainer(base, TrainingSettings.defaults(HEAD), 1);
    TrainingState before = head.step(head.initialState(), Sentences.batch(3, 4)).state();

    TrainingState after = head.step(before, Sentences.batch(8, 4)).state();

    assertThat(after.adapter().values()).isEmpty();
    assertThat(after.adapter().firstMoment()).isEmpty();
    assertThat(after.head().values()).isNotEqualTo(before.head().values());
  }

  @Test
  void aStateOfAnotherMethodIsRefused() {
    TrainingState head = TrainingState.initial(HEAD, new int[0], new float[0], new float[0]);

    assertThatIllegalArgumentException()
        .isThrownBy(() -> trainer.step(head, Sentences.batch(0, 1)))
        .withMessage(
            "the state was trained with the adapter method head, the setting is svft:plain");
  }

  @Test
  void anEmptyBatchIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> trainer.step(trainer.initialState(), List.of()));
  }

  @Test
  void aLossThatIsNotFiniteIsAnExceptionAndTheStateStays() {
    TrainingState before = trained(Sentences.batch(3, 4));
    Arrays.fill(before.adapter().values(), 1e30f);
    String hash = before.sha256();

    assertThatThrownBy(() -> trainer.step(before, Sentences.batch(3, 4)))
        .isInstanceOf(NonFiniteStepException.class)
        .hasMessage("the batch's loss is NaN");
    assertThat(before.sha256()).isEqualTo(hash);
  }

  @Test
  void afterAStepThatFailedTheNextOneIsAsIfThatHadNotBeen() {
    List<TrainingExample> batch = Sentences.batch(3, 4);
    TrainingState good = trained(batch);
    String expected = trainer.step(good, batch).state().sha256();
    TrainingState broken = trained(batch);
    Arrays.fill(broken.head().values(), 3e38f);

    assertThatThrownBy(() -> trainer.step(broken, batch))
        .isInstanceOf(NonFiniteStepException.class);
    assertThat(trainer.step(good, batch).state().sha256()).isEqualTo(expected);
  }

  @Test
  void anUpdateThatLeavesTheRangeOfFloatsIsAnExceptionToo() {
    Trainer reckless =
        new Trainer(
            base,
            new TrainingSettings(
                new Classification(),
                SVFT,
                1e39,
                1e-2,
                0.9,
                0.999,
                1e-8,
                0,
                0,
                0,
                0,
                0,
                10,
                BatchLayout.SEGMENTS,
                Moments.FLOAT32,
                0,
                0),
            1);
    TrainingState before = trained(Sentences.batch(3, 4));

    assertThatThrownBy(() -> reckless.step(before, Sentences.batch(3, 4)))
        .isInstanceOf(NonFiniteStepException.class);
  }

  private static TrainingExample example(String text, String label) {
    return new TrainingExample(text, label, 1);
  }

  private TrainingState trained(List<TrainingExample> batch) {
    return trainer.step(trainer.initialState(), batch).state();
  }

  private Trainer.Gradients gradients(TrainingState state, List<TrainingExample> batch) {
    return trainer.gradients(
        state, batch, base.tokenize(batch.stream().map(TrainingExample::text).toList()));
  }
}
