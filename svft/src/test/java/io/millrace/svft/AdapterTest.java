package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

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

  /** A version's identity must not change with a release; published chains hang on it. */
  @Test
  void theHandmadeAdaptersHashIsPinned() {
    assertThat(HandmadeAdapter.create().sha256())
        .isEqualTo("d47f7d36bafe4e0a6c62100c19a140b34904cbd6d7dc6f5a2f66cc66cb1644f9");
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
    TrainingState state =
        TrainingState.initial(TrainingSettings.Method.HEAD, base.config())
            .withLabels(List.of("x"), 16);

    Adapter head = Adapter.of(base, state, "d", 1, "");

    assertThat(head.trainableParameters()).isZero();
    assertThat(Adapter.fromPayload(head.toPayload()).method())
        .isEqualTo(TrainingSettings.Method.HEAD);
    assertThat(adapter(base, "", "").trainableParameters()).isEqualTo(192);
  }

  private static Adapter adapter(BaseModel base, String baseSha256, String basisSha256) {
    return new Adapter(
        "reviews",
        7,
        "",
        base.name(),
        baseSha256,
        basisSha256,
        TrainingSettings.Method.SVFT,
        base.config(),
        List.of(),
        new float[base.config().plainValues()],
        new float[0],
        0,
        0);
  }
}
