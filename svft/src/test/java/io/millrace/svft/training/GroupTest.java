package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.TinyModel;
import io.millrace.svft.engine.SliceThreads;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.tensor.BatchLayout;
import io.millrace.svft.tensor.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Steps of several domains in one pass have the bits of the same steps alone. */
@Tag("unit")
@ExtendWith(Models.class)
class GroupTest {
  private static final int DOMAINS = 7;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:plain",
        "svft:banded:2",
        "svft:random:1",
        "svft:top-k:1",
        "svft:gradient:1",
        "svft:plain;rank=8",
        "svft:random:1;rank=4;weights=key+output",
        "lora:2",
        "pissa:2",
        "dora:2",
        "vera:4",
        "lora-xs:3",
        "ia3",
        "bias",
        "norms",
        "full;weights=value+intermediate",
        "svf",
        "head"
      })
  void everyMethodGivesTheBitsOfSingleSteps(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, method)) {
      assertSame(base, TrainingSettings.defaults(method), 6);
      assertSame(base, TrainingSettings.defaults(method).withSampleErrorsBelow(0.9), 6);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"svft:plain", "svft:random:1"})
  void soDoesAModelOfRealSize(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    ModelFiles files = Models.miniLm();
    try (BaseModel base = BaseModel.load(files, Torch.device("cpu"), method.factored())) {
      assertSame(base, TrainingSettings.defaults(method), 2);
      assertSame(base, TrainingSettings.defaults(method).withSampleErrorsBelow(0.9), 2);
    }
  }

  /** Domains of different sizes, in random groups and orders, on one thread and on three. */
  private static void assertSame(BaseModel base, TrainingSettings settings, int rounds) {
    Random random = new Random(5);
    try (Trainer alone = new Trainer(base, settings, 2);
        Trainer one = new Trainer(base, settings, 1);
        Trainer three = new Trainer(base, settings, 3)) {
      assumeTrue(one.groups(), "kernels whose rows depend on their number");
      TrainingState[] states = new TrainingState[DOMAINS];
      Arrays.fill(states, alone.initialState());
      for (int round = 0; round < rounds; round++) {
        List<Integer> domains = new ArrayList<>();
        for (int i = 0; i < DOMAINS; i++) {
          domains.add(i);
        }
        Collections.shuffle(domains, random);
        domains = domains.subList(0, 2 + random.nextInt(DOMAINS - 1));
        List<Trainer.Batch> group = new ArrayList<>();
        for (int domain : domains) {
          int size = 1 + random.nextInt(domain == 0 ? 24 : 5);
          group.add(
              new Trainer.Batch(states[domain], Sentences.batch(31 * domain + 7 * round, size)));
        }
        List<Trainer.Outcome> onOne = one.steps(group);
        List<Trainer.Outcome> onThree = three.steps(group);
        for (int i = 0; i < domains.size(); i++) {
          StepResult expected = alone.step(group.get(i).before(), group.get(i).examples());
          assertSame(onOne.get(i).resultOrThrow(), expected);
          assertSame(onThree.get(i).resultOrThrow(), expected);
          states[domains.get(i)] = expected.state();
        }
      }
    }
  }

  private static void assertSame(StepResult actual, StepResult expected) {
    assertThat(actual.state().sha256()).isEqualTo(expected.state().sha256());
    assertThat(actual.loss()).isEqualTo(expected.loss());
    assertThat(actual.logits()).isDeepEqualTo(expected.logits());
    assertThat(actual.correct()).isEqualTo(expected.correct());
  }

  /** The first and the last value: methods hold several tensors of each weight. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:plain",
        "svft:random:1",
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
        "full"
      })
  void whatIsNotFiniteStaysInItsDomain(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, method);
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 2)) {
      TrainingState sound = RandomState.of(trainer, base.config().hidden(), 0.1);
      int last = sound.adapter().size() - 1;
      List<Trainer.Batch> group =
          List.of(
              new Trainer.Batch(sound, Sentences.batch(3, 4)),
              new Trainer.Batch(with(sound, 0, Float.NaN), Sentences.batch(9, 4)),
              new Trainer.Batch(with(sound, last, Float.POSITIVE_INFINITY), Sentences.batch(14, 3)),
              new Trainer.Batch(sound, Sentences.batch(20, 2)));

      List<Trainer.Outcome> outcomes = trainer.steps(group);

      for (int i : new int[] {1, 2}) {
        assertThat(outcomes.get(i).failure()).isPresent();
      }
      for (int i : new int[] {0, 3}) {
        StepResult alone = trainer.step(sound, group.get(i).examples());
        assertSame(outcomes.get(i).resultOrThrow(), alone);
      }
    }
  }

  private static TrainingState with(TrainingState sound, int index, float value) {
    float[] broken = sound.adapter().values().clone();
    broken[index] = value;
    return new TrainingState(
        sound.method(),
        sound.labels(),
        sound.labelBornAtStep(),
        sound.positions(),
        sound.scores(),
        Parameters.initial(broken),
        sound.head(),
        sound.means(),
        sound.steps(),
        sound.examples());
  }

  /** Before and after a gradient pattern has chosen positions, other products compute. */
  @Test
  void domainsInDifferentPhasesShareACall(@Models.Tiny BaseModel base) {
    AdapterMethod method = AdapterMethod.parse("svft:gradient:1");
    try (Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 2)) {
      TrainingState later = trainer.initialState();
      for (int i = 0; i < 5; i++) {
        later = trainer.step(later, Sentences.batch(i, 3)).state();
      }
      List<Trainer.Batch> group =
          List.of(
              new Trainer.Batch(later, Sentences.batch(40, 3)),
              new Trainer.Batch(trainer.initialState(), Sentences.batch(50, 3)));

      List<Trainer.Outcome> outcomes = trainer.steps(group);

      for (int i = 0; i < 2; i++) {
        StepResult alone = trainer.step(group.get(i).before(), group.get(i).examples());
        assertSame(outcomes.get(i).resultOrThrow(), alone);
      }
    }
  }

  /** As kernels would whose rows depend on their number. */
  @ParameterizedTest
  @ValueSource(strings = {"svft:plain", "svft:gradient:1"})
  void oneBitThatNeighboursChangeIsNoticed(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    TrainingSettings settings = TrainingSettings.defaults(method);
    AdapterLayout layout = AdapterLayout.of(TinyModel.CONFIG, method);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, method);
        SliceThreads threads = new SliceThreads(1);
        Trainer trainer = new Trainer(base, settings, 1)) {
      GradientPass pass = new GradientPass(base, settings, layout, threads);
      TrainingState initial = trainer.initialState();

      assumeTrue(GroupCheck.holds(base, layout, initial, pass::gradients));
      assertThat(
              GroupCheck.holds(
                  base,
                  layout,
                  initial,
                  batches -> {
                    List<Trainer.Gradients> gradients = pass.gradients(batches);
                    if (batches.size() > 3) {
                      float[] values = gradients.get(3).values();
                      values[values.length - 1] = Math.nextUp(values[values.length - 1]);
                    }
                    return gradients;
                  }))
          .isFalse();
    }
  }

  /** With the layout of earlier releases, neighbours would change bits. */
  @Test
  void slicesAreTrainedOneByOne(@Models.Tiny BaseModel base) {
    TrainingSettings settings = TrainingSettings.defaults(AdapterMethod.parse("svft:plain"));
    try (Trainer trainer = new Trainer(base, settings.with(BatchLayout.SLICES), 2)) {
      TrainingState state = RandomState.of(trainer, base.config().hidden(), 0.1);
      List<Trainer.Batch> group =
          List.of(
              new Trainer.Batch(state, Sentences.batch(3, 4)),
              new Trainer.Batch(state, Sentences.batch(30, 9)));

      assertThat(trainer.groups()).isFalse();
      List<Trainer.Outcome> outcomes = trainer.steps(group);
      for (int i = 0; i < 2; i++) {
        assertSame(outcomes.get(i).resultOrThrow(), trainer.step(state, group.get(i).examples()));
      }
    }
  }
}
