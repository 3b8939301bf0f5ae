package io.millrace.svft.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.millrace.svft.Differences;
import io.millrace.svft.Models;
import io.millrace.svft.ReferenceEncoder;
import io.millrace.svft.Sentences;
import io.millrace.svft.TinyModel;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.Positions;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.training.RandomState;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Compares the packed and factored pass with {@link ReferenceEncoder} on {@link TinyModel}. */
@Tag("unit")
@ExtendWith(Models.class)
class EncoderTest {
  private static final List<String> TEXTS = Sentences.ALL.subList(4, 40);
  private static final int HIDDEN = TinyModel.CONFIG.hidden();

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:plain",
        "svft:banded:2",
        "svft:banded:9",
        "svft:random:1",
        "svft:top-k:1",
        "svft:gradient:1",
        "lora:4",
        "pissa:4",
        "dora:4",
        "vera:8",
        "lora-xs:4",
        "oft:4",
        "boft:4",
        "hra:4",
        "ia3",
        "bias",
        "norms",
        "pissa:40;alpha=3",
        "full",
        "svf",
        "head"
      })
  void beforeItsFirstStepItIsTheBaseModel(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, method);
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1)) {
      TrainingState state = trainer.initialState();
      ReferenceEncoder reference = ReferenceEncoder.of(base);

      assertSameEmbeddings(base, state, reference, reference.weights());
      if (method.sparsity().isPresent()) {
        assertThat(state.adapter().values()).isEqualTo(new float[state.adapter().values().length]);
      }
    }
  }

  static Stream<EncoderConfig> shapes() {
    return Arrays.stream(Architecture.values())
        .flatMap(each -> Arrays.stream(Pooling.values()).map(how -> TinyModel.config(each, how)));
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void everyFamilyComputesItsDefinition(EncoderConfig config) {
    for (String text : List.of("head", "svft:banded:1")) {
      AdapterMethod method = AdapterMethod.parse(text);
      try (BaseModel base = Models.tiny(config, method);
          Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1)) {
        assertSameEmbeddings(base, RandomState.of(trainer, HIDDEN, 0.3));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:plain",
        "svft:banded:1",
        "svft:banded:12",
        "svft:random:1",
        "svft:top-k:2",
        "svft:plain;rank=9",
        "svft:banded:1;rank=4",
        "svft:random:1;rank=4;weights=key+output",
        "lora:2",
        "lora:4;scaling=root-rank",
        "pissa:2;weights=key+output",
        "dora:4;weights=key+output",
        "vera:8;seed=2",
        "lora-xs:4;weights=value",
        "oft:4",
        "boft:4",
        "boft:2;factors=3",
        "hra:4",
        "ia3",
        "ia3;weights=intermediate+output",
        "bias;weights=query+output",
        "norms",
        "full;weights=value+intermediate"
      })
  void anAdapterIsAddedToEveryAdaptedWeight(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, method);
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1)) {
      assertSameEmbeddings(base, RandomState.of(trainer, HIDDEN, 0.2));
    }
  }

  @Test
  void aTextsEmbeddingDoesNotDependOnItsNeighbours(@Models.Tiny BaseModel base) {
    AdapterMethod method = AdapterMethod.parse("svft:banded:1");
    try (Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1)) {
      TrainingState state = RandomState.of(trainer, HIDDEN, 0.2);
      long[][] ids = base.tokenize(TEXTS);
      float[] together = RandomState.embed(base, state, ids);

      for (int i = 0; i < ids.length; i++) {
        assertThat(
                Differences.largest(
                    RandomState.embed(base, state, new long[][] {ids[i]}),
                    Arrays.copyOfRange(together, HIDDEN * i, HIDDEN * (i + 1))))
            .isLessThan(1e-5);
      }
    }
  }

  private static void assertSameEmbeddings(BaseModel base, TrainingState state) {
    AdapterLayout layout = AdapterLayout.of(base.config(), state.method());
    List<Positions> positions = layout.positions(state.positions());
    ReferenceEncoder reference = ReferenceEncoder.of(base);
    ReferenceEncoder.Weights weights =
        reference.weights(state.method(), layout, positions, state.adapter().values());
    assertSameEmbeddings(base, state, reference, weights);
  }

  private static void assertSameEmbeddings(
      BaseModel base,
      TrainingState state,
      ReferenceEncoder reference,
      ReferenceEncoder.Weights weights) {
    long[][] ids = base.tokenize(TEXTS);
    float[] actual = RandomState.embed(base, state, ids);
    for (int i = 0; i < ids.length; i++) {
      double[] expected = reference.embed(ids[i], weights);
      for (int j = 0; j < expected.length; j++) {
        assertThat((double) actual[HIDDEN * i + j]).isCloseTo(expected[j], within(1e-5));
      }
    }
  }
}
