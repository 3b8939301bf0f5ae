package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class EncoderConfigTest {
  @Test
  void valuesOfMStandWithoutGapInTheOrderOfTheWeights() {
    int next = 0;
    for (AdaptedWeight weight : TinyModel.CONFIG.adaptedWeights()) {
      assertThat(weight.offset()).as(weight.name()).isEqualTo(next);
      next += weight.rank();
    }
    assertThat(TinyModel.CONFIG.plainValues()).isEqualTo(next).isEqualTo(2 * 6 * 16);
  }

  @Test
  void aLayerHasSixAdaptedWeightsUnderTheirHuggingFaceNames() {
    assertThat(TinyModel.CONFIG.adaptedWeights().subList(6, 12))
        .extracting(AdaptedWeight::name)
        .containsExactly(
            "encoder.layer.1.attention.self.query",
            "encoder.layer.1.attention.self.key",
            "encoder.layer.1.attention.self.value",
            "encoder.layer.1.attention.output.dense",
            "encoder.layer.1.intermediate.dense",
            "encoder.layer.1.output.dense");
  }

  @Test
  void theRankIsTheShorterSide() {
    AdaptedWeight intermediate = TinyModel.CONFIG.adaptedWeights().get(4);
    AdaptedWeight output = TinyModel.CONFIG.adaptedWeights().get(5);

    assertThat(intermediate).extracting("out", "in").containsExactly(24, 16);
    assertThat(output).extracting("out", "in").containsExactly(16, 24);
    assertThat(intermediate.rank()).isEqualTo(output.rank()).isEqualTo(16);
  }

  @Test
  void aShapeThatIsNoEncoderIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new EncoderConfig(1, 16, 3, 8, 10, 10, 1e-12f))
        .withMessageContaining("hidden 16, heads 3");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new EncoderConfig(0, 16, 2, 8, 10, 10, 1e-12f));
  }
}
