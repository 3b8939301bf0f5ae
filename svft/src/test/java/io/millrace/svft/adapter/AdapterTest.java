package io.millrace.svft.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.TinyModel;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.task.Classification;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.Sha256;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
@ExtendWith(Models.class)
class AdapterTest {
  @Test
  void aPayloadReadsBackAsTheAdapterItCameFrom() {
    Adapter adapter = HandmadeAdapter.create();

    Adapter read = Adapter.fromPayload(adapter.toPayload());

    assertThat(read).usingRecursiveComparison().isEqualTo(adapter);
    assertThat(read.toPayload()).isEqualTo(adapter.toPayload());
    assertThat(read.sha256()).isEqualTo(Sha256.of(adapter.toPayload()));
  }

  @Test
  void aPayloadMayStandInsideALargerBuffer() {
    byte[] payload = HandmadeAdapter.create().toPayload();
    ByteBuffer buffer = ByteBuffer.allocate(payload.length + 30).position(10);
    buffer.put(payload).limit(10 + payload.length).position(10);

    assertThat(Adapter.fromPayload(buffer).domain()).isEqualTo(HandmadeAdapter.create().domain());
    assertThat(buffer.position()).isEqualTo(10);
  }

  /**
   * The identity of a version must not change with a release, because published versions refer to
   * their parents by it.
   */
  @Test
  void theHandmadeAdaptersHashIsPinned() {
    assertThat(HandmadeAdapter.create().sha256())
        .isEqualTo("b6b10e86160b4476284e8a42d05396b2eeac3c960775b3916f389ad2c40a7fe4");
  }

  @Test
  void anyReaderOfSafetensorsFindsTheTensorsByName() {
    Safetensors file = Safetensors.parse(ByteBuffer.wrap(HandmadeAdapter.create().toPayload()));

    assertThat(file.names())
        .containsExactly(
            "encoder.layer.0.attention.output.dense.svft.m",
            "encoder.layer.0.attention.self.key.svft.m",
            "encoder.layer.0.attention.self.query.svft.m",
            "encoder.layer.0.attention.self.value.svft.m",
            "encoder.layer.0.intermediate.dense.svft.m",
            "encoder.layer.0.output.dense.svft.m",
            "head.bias",
            "head.weight");
    assertThat(file.floats("encoder.layer.0.attention.self.key.svft.m")).containsExactly(0.5f, 0);
    assertThat(file.floats("head.weight", 2, 2)).containsExactly(0.1f, 0.2f, -1, -2);
    assertThat(file.floats("head.bias", 2)).containsExactly(0.3f, -3);
    assertThat(file.metadata()).containsEntry("labels", "[\"positive\",\"n\u00e9gatif\"]");
  }

  @Test
  void aVersionNamesItsParentInsideItsOwnIdentity() {
    float[] values = HandmadeAdapter.create().values();
    Adapter first = HandmadeAdapter.of(1, "", values);
    Adapter second = HandmadeAdapter.of(2, first.sha256(), values);
    Adapter orphan = HandmadeAdapter.of(2, "", values);

    assertThat(Adapter.fromPayload(second.toPayload()).parentSha256()).isEqualTo(first.sha256());
    assertThat(second.sha256()).isNotEqualTo(orphan.sha256());
  }

  @Test
  void theSmallestChangeOfAValueIsAnotherVersion() {
    float[] values = HandmadeAdapter.create().values();
    values[5] = Math.nextUp(values[5]);

    assertThat(HandmadeAdapter.of(3, "b0".repeat(32), values).sha256())
        .isNotEqualTo(HandmadeAdapter.create().sha256());
  }

  @Test
  void anAdapterOfThisBaseAndBasisFits(@Models.Tiny BaseModel base) {
    adapter(base, base.baseSha256(), base.basisSha256()).requireFits(base);
  }

  @Test
  void anotherBaseOrBasisIsRefusedWithBothHashes(@Models.Tiny BaseModel base) {
    String other = "0f".repeat(32);

    assertThatThrownBy(() -> adapter(base, other, base.basisSha256()).requireFits(base))
        .isInstanceOf(AdapterException.class)
        .hasMessage(
            "adapter reviews@7 was trained on the base model %s; the one here is %s",
            other, base.baseSha256());
    assertThatThrownBy(() -> adapter(base, base.baseSha256(), other).requireFits(base))
        .isInstanceOf(AdapterException.class)
        .hasMessage(
            "adapter reviews@7 was trained on the singular basis %s; the one here is %s",
            other, base.basisSha256());
  }

  @Test
  void theMethodHeadHasNoTrainablesBesidesTheHead(@Models.Tiny BaseModel base) {
    TrainingState state = initial(base, "head").withLabels(new Classification(), List.of("x"), 16);

    Adapter head = state.toAdapter(base, "d", 1, "");

    assertThat(head.trainableParameters()).isZero();
    assertThat(Adapter.fromPayload(head.toPayload()).method())
        .isEqualTo(AdapterMethod.parse("head"));
    assertThat(adapter(base, "", "").trainableParameters()).isEqualTo(192);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:plain",
        "svft:plain;rank=3",
        "svft:banded:1",
        "svft:banded:1;rank=2;weights=key+output",
        "svft:random:1:-9",
        "svft:top-k:1",
        "svft:gradient:1",
        "svft:gradient:1;rank=3",
        "lora:2;alpha=3.5",
        "lora:1;weights=value",
        "lora:1;alpha=2;scaling=root-rank",
        "pissa:2;alpha=3.5",
        "dora:2;alpha=3",
        "vera:4;start=0.5;seed=7",
        "lora-xs:3",
        "hra:2",
        "ia3",
        "bias;weights=value",
        "norms",
        "full",
        "full;weights=intermediate",
        "svf",
        "head"
      })
  void everyMethodsAdapterReadsBackAsItWas(String method) {
    Adapter adapter = HandmadeAdapter.of(method);
    byte[] payload = adapter.toPayload();

    Adapter read = Adapter.fromPayload(payload);

    assertThat(read).usingRecursiveComparison().isEqualTo(adapter);
    assertThat(read.toPayload()).isEqualTo(payload);
    assertThat(read.trainableParameters()).isEqualTo(adapter.values().length);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:plain",
        "svft:banded:1",
        "svft:random:1",
        "svft:top-k:1",
        "svft:gradient:1",
        "svft:banded:2;rank=5",
        "lora:2",
        "pissa:2",
        "dora:2",
        "vera:4",
        "lora-xs:2",
        "oft:8",
        "boft:4",
        "hra:2",
        "ia3",
        "bias",
        "norms",
        "full",
        "svf",
        "head"
      })
  void whatATrainerMadeReadsBackAndScoresTheSame(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    TrainingSettings settings = TrainingSettings.defaults(method);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, method);
        Trainer trainer = new Trainer(base, settings, 1)) {
      TrainingState state = trainer.initialState();
      for (int i = 0; i < settings.scoringSteps() + 2; i++) {
        state = trainer.step(state, Sentences.batch(4 * i, 4)).state();
      }
      Adapter adapter = state.toAdapter(base, "reviews", 1, "");
      Adapter read = Adapter.fromPayload(adapter.toPayload());
      read.requireFits(base);

      assertThat(read).usingRecursiveComparison().isEqualTo(adapter);
      try (Classifier here = new Classifier(base, adapter);
          Classifier there = new Classifier(base, read)) {
        assertThat(there.logits(Sentences.ALL)).isDeepEqualTo(here.logits(Sentences.ALL));
      }
    }
  }

  @Test
  void beforeItsPositionsAreChosenAGradientAdapterHoldsTheHeadAlone(@Models.Tiny BaseModel base) {
    TrainingState undecided =
        initial(base, "svft:gradient:1").withLabels(new Classification(), List.of("x"), 16);
    Adapter adapter = undecided.toAdapter(base, "d", 1, "");
    Adapter read = Adapter.fromPayload(adapter.toPayload());

    assertThat(Safetensors.parse(ByteBuffer.wrap(adapter.toPayload())).names())
        .containsExactly("head.bias", "head.weight");
    assertThat(read).usingRecursiveComparison().isEqualTo(adapter);
    try (Classifier classifier = new Classifier(base, read)) {
      assertThat(classifier.logits(List.of("Hi!"))[0]).containsExactly(0);
    }
  }

  @Test
  void anIndexHoldsRowsThenColumns() {
    Safetensors file =
        Safetensors.parse(ByteBuffer.wrap(HandmadeAdapter.of("svft:random:1").toPayload()));
    String weight = "encoder.layer.0.intermediate.dense";

    assertThat(file.floats(weight + ".svft.m", 10)[0]).isEqualTo(41 / 8f);
    assertThat(file.ints(weight + ".svft.index", 2, 10))
        .containsExactly(0, 0, 0, 1, 1, 2, 2, 3, 3, 3, 0, 1, 3, 1, 3, 0, 2, 0, 2, 3);
  }

  @Test
  void loraTensorsAreNamedAsPeftNamesThem() {
    Safetensors file = Safetensors.parse(ByteBuffer.wrap(HandmadeAdapter.of("lora:2").toPayload()));

    assertThat(file.floats("encoder.layer.0.output.dense.lora_A.weight", 2, 5)).hasSize(10);
    assertThat(file.floats("encoder.layer.0.output.dense.lora_B.weight", 4, 2)).hasSize(8);
  }

  private static TrainingState initial(BaseModel base, String method) {
    try (Trainer trainer =
        new Trainer(base, TrainingSettings.defaults(AdapterMethod.parse(method)), 1)) {
      return trainer.initialState();
    }
  }

  private static Adapter adapter(BaseModel base, String baseSha256, String basisSha256) {
    return new Adapter(
        "reviews",
        7,
        "",
        base.name(),
        baseSha256,
        basisSha256,
        AdapterMethod.parse("svft:plain"),
        base.config(),
        List.of(),
        new int[0],
        new float[192],
        new float[0],
        0,
        0);
  }
}
