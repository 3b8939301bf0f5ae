package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.TinyModel;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.NativeFloats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Parameters outside of the heap are trained to the bits of those on it. */
@Tag("unit")
@ExtendWith(Models.class)
class OutsideParametersTest {
  private static final int STEPS = 4;

  @Test
  void manyLieOutsideAndFewOnTheHeap() {
    assertThat(Parameters.initial(new float[Parameters.MOST_ON_HEAP]).outside()).isEmpty();
    assertThat(Parameters.initial(new float[Parameters.MOST_ON_HEAP + 1]).outside()).isPresent();
  }

  /** Bands have another order in the engine, gradient:1 shares of the rate. */
  @ParameterizedTest
  @CsvSource({
    "full, float32, 0",
    "full, bfloat16, 0",
    "full, float32, 0.01",
    "lora:2, float32, 0",
    "svft:plain, bfloat16, 0",
    "svft:banded:1, float32, 0",
    "svft:random:1, float32, 0.01",
    "svft:gradient:1, float32, 0"
  })
  void eachStepHasTheHashOfTheHeap(String text, String moments, double maxGradientNorm) {
    TrainingSettings settings = settings(text, moments, maxGradientNorm);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, settings.method());
        Trainer trainer = new Trainer(base, settings, 2)) {
      TrainingState onHeap = trainer.initialState();
      TrainingState outside = outside(onHeap);
      List<String> heapHashes = new ArrayList<>();
      List<String> outsideHashes = new ArrayList<>();
      for (int i = 0; i < STEPS + settings.scoringSteps(); i++) {
        onHeap = trainer.step(onHeap, Sentences.batch(i, 8)).state();
        TrainingState next = lastOf(trainer, outside, Sentences.batch(i, 8));
        outside = next.adapter().outside().isPresent() ? next : outside(next);
        heapHashes.add(onHeap.sha256());
        outsideHashes.add(outside.sha256());
      }

      assertThat(outsideHashes).isEqualTo(heapHashes).doesNotHaveDuplicates();
      assertThat(outside.toAdapter(base, "d", 1, "").sha256())
          .isEqualTo(onHeap.toAdapter(base, "d", 1, "").sha256());
    }
  }

  @Test
  void aStepLeavesTheStateBeforeItAsItIs() {
    TrainingSettings settings = settings("full", "float32", 0);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, settings.method());
        Trainer trainer = new Trainer(base, settings, 2)) {
      TrainingState before = outside(trainer.initialState());
      String hash = before.sha256();
      TrainingState after = trainer.step(before, Sentences.batch(1, 8)).state();
      TrainingState again = trainer.step(before, Sentences.batch(1, 8)).state();

      assertThat(before.sha256()).isEqualTo(hash).isNotEqualTo(after.sha256());
      assertThat(again.sha256()).isEqualTo(after.sha256());
    }
  }

  private static TrainingState lastOf(
      Trainer trainer, TrainingState before, List<TrainingExample> examples) {
    return trainer
        .steps(List.of(new Trainer.Batch(before, examples, true)))
        .get(0)
        .resultOrThrow()
        .state();
  }

  @Test
  void theLastUseOfAStateLeavesItsMemoryToTheNextOne() {
    TrainingSettings settings = settings("full", "float32", 0);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, settings.method());
        Trainer trainer = new Trainer(base, settings, 2)) {
      TrainingState before = outside(trainer.step(trainer.initialState(), batch()).state());
      StepResult other = trainer.step(before, batch());
      TrainingState same = lastOf(trainer, before, batch());

      assertThat(same.sha256()).isEqualTo(other.state().sha256());
      assertThat(shareMemory(same, before)).isTrue();
      assertThat(shareMemory(other.state(), before)).isFalse();
    }
  }

  /** A moment that is almost infinite: whether its update is finite shows once it is computed. */
  @Test
  void whereAnUpdateMightNotBeFiniteItHasOtherMemory() {
    TrainingSettings settings = settings("full", "float32", 0);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, settings.method());
        Trainer trainer = new Trainer(base, settings, 2)) {
      TrainingState before = outside(trainer.step(trainer.initialState(), batch()).state());
      Parameters.Outside parameters = before.adapter().outside().orElseThrow();
      parameters.secondMoment().put(7, new float[] {Float.MAX_VALUE}, 1);

      TrainingState other = lastOf(trainer, before, batch());

      assertThat(other.sha256()).isEqualTo(trainer.step(before, batch()).state().sha256());
      assertThat(shareMemory(other, before)).isFalse();
    }
  }

  /** Whether what is written to one state's values and moments is read from the other's. */
  private static boolean shareMemory(TrainingState one, TrainingState other) {
    List<NativeFloats> written = outsideOf(one);
    List<NativeFloats> read = outsideOf(other);
    boolean shared = true;
    for (int i = 0; i < written.size(); i++) {
      float[] value = {17 + read.get(i).toArray()[0]};
      written.get(i).put(0, value, 1);
      shared &= read.get(i).toArray()[0] == value[0];
    }
    return shared;
  }

  private static List<NativeFloats> outsideOf(TrainingState state) {
    Parameters.Outside outside = state.adapter().outside().orElseThrow();
    return List.of(outside.values(), outside.firstMoment(), outside.secondMoment());
  }

  @Test
  void anUpdateThatIsNotFiniteChangesNothing() {
    TrainingSettings settings = settings("full", "float32", 0);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, settings.method());
        Trainer trainer = new Trainer(base, settings, 2)) {
      TrainingState before = outside(trainer.step(trainer.initialState(), batch()).state());
      String hash = before.sha256();
      int size = before.adapter().size();
      float[] head = new float[before.head().size()];
      Trainer.Gradients infinite = gradients(head, size, size - 1, Float.POSITIVE_INFINITY);
      Trainer.Gradients large = gradients(head, size, 5, Float.MAX_VALUE);

      float[] headless = new float[before.head().size()];
      headless[headless.length - 1] = Float.MAX_VALUE;
      Trainer.Gradients largeHead = gradients(headless, size, 5, 0);

      for (boolean last : new boolean[] {false, true}) {
        assertThatThrownBy(() -> trainer.update(before, infinite, batch(), last))
            .isInstanceOf(NonFiniteStepException.class)
            .hasMessage("the batch's gradient is not finite");
        for (Trainer.Gradients each : List.of(large, largeHead)) {
          assertThatThrownBy(() -> trainer.update(before, each, batch(), last))
              .isInstanceOf(NonFiniteStepException.class)
              .hasMessage("the batch's update is not finite");
        }
        assertThat(before.sha256()).isEqualTo(hash);
      }
    }
  }

  /** A product may have other bits where a weight does not begin as PyTorch's arrays do. */
  @Test
  void whereTheMemoryBeginsDoesNotMatter() {
    TrainingSettings settings = settings("full", "float32", 0);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, settings.method());
        Trainer trainer = new Trainer(base, settings, 1)) {
      TrainingState state = outside(trainer.initialState());
      float[] values = state.adapter().values();
      NativeFloats longer = NativeFloats.allocate(values.length + 1);
      longer.slice(1, values.length + 1).put(0, values, values.length);
      Parameters.Outside aligned = state.adapter().outside().orElseThrow();
      TrainingState shifted =
          with(
              state,
              new Parameters(
                  new Parameters.Outside(
                      longer.slice(1, values.length + 1),
                      aligned.firstMoment(),
                      aligned.secondMoment())));

      assertThat(trainer.step(shifted, batch()).state().sha256())
          .isEqualTo(trainer.step(state, batch()).state().sha256());
    }
  }

  private static List<TrainingExample> batch() {
    return Sentences.batch(1, 8);
  }

  private static Trainer.Gradients gradients(float[] head, int size, int at, float value) {
    float[] gradient = new float[size];
    Arrays.fill(gradient, 1e-3f);
    gradient[at] = value;
    return new Trainer.Gradients(
        1, new float[0][], new float[8][TinyModel.CONFIG.hidden()], gradient, head);
  }

  private static TrainingSettings settings(String text, String moments, double maxGradientNorm) {
    TrainingSettings d = TrainingSettings.defaults(AdapterMethod.parse(text));
    return new TrainingSettings(
        d.task(),
        d.method(),
        d.learningRate(),
        d.headLearningRate(),
        d.beta1(),
        d.beta2(),
        d.epsilon(),
        d.weightDecay(),
        d.warmupSteps(),
        d.decaySteps(),
        d.decayFloor(),
        maxGradientNorm,
        2,
        d.layout(),
        Moments.of(moments),
        d.classMeans(),
        0);
  }

  /** The same state, its adapter outside of the heap. */
  private static TrainingState outside(TrainingState state) {
    if (state.adapter().size() == 0) {
      return state;
    }
    return with(
        state,
        new Parameters(
            new Parameters.Outside(
                NativeFloats.copyOf(state.adapter().values()),
                NativeFloats.copyOf(state.adapter().firstMoment()),
                NativeFloats.copyOf(state.adapter().secondMoment()))));
  }

  private static TrainingState with(TrainingState state, Parameters adapter) {
    return new TrainingState(
        state.method(),
        state.labels(),
        state.labelBornAtStep(),
        state.positions(),
        state.scores(),
        adapter,
        state.head(),
        state.means(),
        state.steps(),
        state.examples());
  }
}
