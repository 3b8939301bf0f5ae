package io.millrace.svft.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.svft.TinyModel;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("unit")
class EncoderConfigTest {
  @Test
  void aLayerHasSixWeightsUnderTheirHuggingFaceNames() {
    assertThat(names(Architecture.BERT))
        .containsExactly(
            "encoder.layer.1.attention.self.query",
            "encoder.layer.1.attention.self.key",
            "encoder.layer.1.attention.self.value",
            "encoder.layer.1.attention.output.dense",
            "encoder.layer.1.intermediate.dense",
            "encoder.layer.1.output.dense");
    assertThat(names(Architecture.ROBERTA)).isEqualTo(names(Architecture.BERT));
    assertThat(names(Architecture.DISTILBERT))
        .containsExactly(
            "transformer.layer.1.attention.q_lin",
            "transformer.layer.1.attention.k_lin",
            "transformer.layer.1.attention.v_lin",
            "transformer.layer.1.attention.out_lin",
            "transformer.layer.1.ffn.lin1",
            "transformer.layer.1.ffn.lin2");
  }

  private static List<String> names(Architecture architecture) {
    return config(architecture, 2, 0, architecture == Architecture.DISTILBERT ? 0 : 2)
        .weights()
        .subList(6, 12)
        .stream()
        .map(EncoderWeight::name)
        .toList();
  }

  @ParameterizedTest
  @EnumSource(Architecture.class)
  void everyWeightKnowsItsRoleAndLayer(Architecture architecture) {
    List<EncoderWeight> weights =
        config(architecture, 2, 0, architecture == Architecture.DISTILBERT ? 0 : 2).weights();

    for (int i = 0; i < 12; i++) {
      EncoderWeight w = weights.get(i);
      assertThat(w.layer()).isEqualTo(i / 6);
      assertThat(w.role()).isEqualTo(WeightRole.values()[i % 6]);
      assertThat(w.name()).isEqualTo(architecture.module(w.layer(), w.role()));
    }
  }

  @Test
  void theRankIsTheShorterSide() {
    EncoderWeight intermediate = TinyModel.CONFIG.weights().get(4);
    EncoderWeight output = TinyModel.CONFIG.weights().get(5);

    assertThat(intermediate).extracting("out", "in").containsExactly(24, 16);
    assertThat(output).extracting("out", "in").containsExactly(16, 24);
    assertThat(intermediate.rank()).isEqualTo(output.rank()).isEqualTo(16);
  }

  @Test
  void thePositionTableHoldsTheRowsBeforeTheFirstTokenToo() {
    assertThat(config(Architecture.ROBERTA, 2, 2, 1).positionRows()).isEqualTo(12);
  }

  @ParameterizedTest
  @EnumSource(Architecture.class)
  void jsonHoldsTheIdsOfTheEnums(Architecture architecture) throws Exception {
    EncoderConfig config =
        config(architecture, 1, 0, architecture == Architecture.DISTILBERT ? 0 : 2);
    ObjectMapper json = new ObjectMapper();
    String text = json.writeValueAsString(config);

    assertThat(text)
        .startsWith("{\"architecture\":\"" + architecture.id() + "\",\"pooling\":\"cls\",");
    assertThat(json.readValue(text, EncoderConfig.class)).isEqualTo(config);
  }

  record Refused(String message, Runnable config) {
    @Override
    public String toString() {
      return message;
    }
  }

  static Stream<Refused> refused() {
    return Stream.of(
        new Refused("layers 0", () -> config(Architecture.BERT, 0, 0, 2)),
        new Refused("positionOffset -1", () -> config(Architecture.ROBERTA, 1, -1, 1)),
        new Refused(
            "bert, vocabulary 10, maxPositions 10, positionOffset 0, typeVocabulary 0",
            () -> config(Architecture.BERT, 1, 0, 0)),
        new Refused("typeVocabulary 2", () -> config(Architecture.DISTILBERT, 1, 0, 2)),
        new Refused("architecture missing, pooling cls", () -> config(null, 1, 0, 2)),
        new Refused(
            "hidden 16, heads 3",
            () ->
                new EncoderConfig(
                    Architecture.BERT, Pooling.MEAN, 1, 16, 3, 8, 10, 10, 0, 2, 1e-12f)),
        new Refused(
            "layerNormEps NaN",
            () ->
                new EncoderConfig(
                    Architecture.BERT, Pooling.MEAN, 1, 16, 2, 8, 10, 10, 0, 2, Float.NaN)));
  }

  @ParameterizedTest
  @MethodSource
  void refused(Refused refused) {
    assertThatThrownBy(refused.config()::run)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(refused.message());
  }

  private static EncoderConfig config(
      Architecture architecture, int layers, int positionOffset, int types) {
    return new EncoderConfig(
        architecture, Pooling.FIRST_TOKEN, layers, 16, 2, 8, 10, 10, positionOffset, types, 1e-12f);
  }
}
