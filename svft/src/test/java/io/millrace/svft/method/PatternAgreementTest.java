package io.millrace.svft.method;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.millrace.svft.Differences;
import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.TinyModel;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.task.Classification;
import io.millrace.svft.training.RandomState;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The same positions of M give the same numbers, in whichever form the engine computes the product.
 */
@Tag("unit")
@ExtendWith(Models.class)
class PatternAgreementTest {
  private static final List<TrainingExample> BATCH = Sentences.batch(3, 12);

  private final BaseModel base;

  PatternAgreementTest(@Models.Tiny BaseModel base) {
    this.base = base;
  }

  @ParameterizedTest
  @CsvSource({
    "svft:plain, svft:random:0",
    "svft:plain, svft:banded:0",
    "svft:banded:1, svft:random:1",
    "svft:banded:3, svft:gradient:3",
    "svft:banded:8, svft:random:8",
    "svft:banded:9, svft:random:9",
    "svft:plain;rank=6, svft:random:0;rank=6",
    "svft:banded:1;rank=6, svft:random:1;rank=6",
  })
  void theSamePlacesGiveTheSameStep(String first, String second) {
    AdapterMethod closedForm = AdapterMethod.parse(first);
    AdapterMethod other = AdapterMethod.parse(second);
    AdapterLayout layout = AdapterLayout.of(base.config(), closedForm);
    try (Trainer one = new Trainer(base, TrainingSettings.defaults(closedForm), 1);
        Trainer two = new Trainer(base, TrainingSettings.defaults(other), 1)) {
      TrainingState here = RandomState.of(one, base.config().hidden(), 0.2);
      TrainingState there = as(other, here, layout);
      long[][] ids = base.tokenize(BATCH.stream().map(TrainingExample::text).toList());
      Trainer.Gradients expected = one.gradients(here, BATCH, ids);
      Trainer.Gradients actual = two.gradients(there, BATCH, ids);

      assertThat(actual.loss()).isCloseTo(expected.loss(), within(1e-5));
      for (int i = 0; i < BATCH.size(); i++) {
        assertThat(Differences.largest(actual.logits()[i], expected.logits()[i])).isLessThan(1e-5);
      }
      assertThat(Differences.largest(actual.values(), expected.values())).isLessThan(1e-5);
      assertThat(Differences.largest(actual.head(), expected.head())).isLessThan(1e-5);
    }
  }

  /** The state with its positions recorded, for a pattern that records them. */
  private static TrainingState as(AdapterMethod method, TrainingState state, AdapterLayout layout) {
    int[] recorded = new int[0];
    if (!((Svft) method).pattern().closedForm()) {
      recorded = new int[layout.size()];
      List<Positions> positions = layout.positions(state.positions());
      for (int i = 0; i < positions.size(); i++) {
        AdapterLayout.Part part = layout.parts().get(i);
        int[] flat = positions.get(i).flat(part.n());
        System.arraycopy(flat, 0, recorded, part.offset(), flat.length);
      }
    }
    TrainingState same =
        TrainingState.initial(method, recorded, new float[0], state.adapter().values())
            .withLabels(new Classification(), state.labels(), TinyModel.CONFIG.hidden());
    System.arraycopy(state.head().values(), 0, same.head().values(), 0, same.head().size());
    return same;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:plain",
        "svft:banded:1",
        "svft:banded:9",
        "svft:random:1",
        "svft:top-k:1",
        "svft:gradient:1",
        "lora:8",
        "full"
      })
  void versionZeroScoresAsTheHeadAloneDoes(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    AdapterMethod headOnly = AdapterMethod.parse("head");
    try (BaseModel own = Models.tiny(TinyModel.CONFIG, method);
        Trainer trainer = new Trainer(own, TrainingSettings.defaults(method), 1);
        Trainer head = new Trainer(base, TrainingSettings.defaults(headOnly), 1)) {
      TrainingState frozen = RandomState.of(head, base.config().hidden(), 0.2);
      TrainingState zero =
          trainer
              .initialState()
              .withLabels(new Classification(), frozen.labels(), base.config().hidden());
      System.arraycopy(
          frozen.head().values(), 0, zero.head().values(), 0, zero.head().values().length);

      float[][] expected = head.step(frozen, BATCH).logits();
      float[][] actual = trainer.step(zero, BATCH).logits();

      assertThat(Differences.largest(actual, expected)).isLessThan(1e-5);
    }
  }
}
