package io.millrace.svft.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.svft.Models;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The declared shape of an artifact is checked against its file. */
@Tag("integration")
class OnnxArtifactTest {
  @Test
  void aModelThatIsNotOnTheClassPathIsNamedWithItsArtifact() {
    assertRefused(artifact("/nothing.onnx", 6, 30522))
        .hasMessage("base model some: the class path holds no /nothing.onnx; group:name brings it");
  }

  @Test
  void layersThatTheFileLacksOrHasBesidesAreNamed() {
    assertRefused(artifact("/all-minilm-l6-v2.onnx", 7, 30522))
        .hasMessage(
            "/all-minilm-l6-v2.onnx: tensor encoder.layer.6.attention.self.query.weight is missing");
    assertRefused(artifact("/all-minilm-l6-v2.onnx", 5, 30522))
        .hasMessage(
            "/all-minilm-l6-v2.onnx: tensor encoder.layer.5.attention.output.LayerNorm.bias does not belong to a bert encoder of 5 layers");
  }

  @Test
  void anotherShapeIsNamedWithBoth() {
    assertRefused(artifact("/all-minilm-l6-v2.onnx", 6, 30000))
        .hasMessage(
            "/all-minilm-l6-v2.onnx: tensor embeddings.word_embeddings.weight has shape [30522, 384], expected [30000, 384]");
  }

  /** The basis is the same on every machine. Adapters record these hashes. */
  @Test
  void hashesOfBgeSmallAndItsBasisAreThoseOfEveryOtherMachine() {
    ModelFiles files = Models.store().prepare(ModelStore.BGE_SMALL, (model, done, total) -> {});

    assertThat(files.config())
        .isEqualTo(
            new EncoderConfig(
                Architecture.BERT,
                Pooling.FIRST_TOKEN,
                12,
                384,
                12,
                1536,
                30522,
                512,
                0,
                2,
                1e-12f));
    assertThat(Stream.of(files.baseSha256(), files.basisSha256(), files.tokenizerSha256()))
        .containsExactly(
            "7729f2cb94ad5e3d954f8c1f9a84f1c995b33bc843a353de5cc6a77caea7544d",
            "625bf7adc6fa991d26b9f1cef32804ff767359870c16ccd6febc546d27f7baa4",
            "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66");
  }

  private static OnnxArtifact artifact(String onnx, int layers, int vocabulary) {
    return new OnnxArtifact(
        "some",
        "group:name",
        onnx,
        "/all-minilm-l6-v2-tokenizer.json",
        new EncoderConfig(
            Architecture.BERT, Pooling.MEAN, layers, 384, 12, 1536, vocabulary, 512, 0, 2, 1e-12f));
  }

  private static org.assertj.core.api.AbstractThrowableAssert<?, ?> assertRefused(
      OnnxArtifact artifact) {
    return assertThatThrownBy(artifact::read).isInstanceOf(ModelException.class);
  }
}
