package io.millrace.svft.method;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.millrace.svft.model.WeightRole;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class AdapterMethodTest {
  private static final Set<WeightRole> SQUARE =
      EnumSet.of(WeightRole.QUERY, WeightRole.KEY, WeightRole.VALUE, WeightRole.ATTENTION_OUTPUT);

  @ParameterizedTest
  @CsvSource({
    "svft, svft:plain",
    "svft:plain, svft:plain",
    "svft:banded:1, svft:banded:1",
    "svft:random:1, svft:random:1:0",
    "svft:random:1:7, svft:random:1:7",
    "svft:top-k:1, svft:top-k:1",
    "svft:topk:1, svft:top-k:1",
    "svft:gradient:1, svft:gradient:1",
    "svft:plain;rank=0, svft:plain",
    "svft;rank=128, svft:plain;rank=128",
    "lora, lora:8;alpha=16",
    "lora:4, lora:4;alpha=8",
    "lora;alpha=0.50, lora:8;alpha=0.5",
    "lora:8;alpha=16, lora:8;alpha=16",
    "lora;scaling=rank, lora:8;alpha=16",
    "lora;scaling=root-rank, lora:8;alpha=16;scaling=root-rank",
    "pissa, pissa:8;alpha=8",
    "dora, dora:8;alpha=16",
    "vera, vera:256",
    "vera:16;start=0.10;seed=0, vera:16",
    "lora-xs, lora-xs:16",
    "oft, oft:16",
    "boft, boft:4",
    "boft:8;factors=2, boft:8",
    "hra, hra:8",
    "ia3, ia3",
    "ia3;weights=output+key+value, ia3",
    "bias, bias",
    "norms, norms",
    "pissa:4;alpha=2.50, pissa:4;alpha=2.5",
    "svf, svf",
    "svf;weights=key+query, svf;weights=query+key",
    "full, full",
    "head, head"
  })
  void shortFormsHaveACanonicalOne(String text, String spec) {
    assertThat(AdapterMethod.parse(text).spec()).isEqualTo(spec);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:plain",
        "svft:banded:2;rank=128;weights=query+value",
        "svft:random:1:-7;rank=1",
        "svft:top-k:1;weights=key",
        "svft:gradient:1;weights=intermediate+output",
        "lora:8;alpha=16",
        "lora:3;alpha=0.125;weights=attention-output",
        "lora:1;alpha=20000000000",
        "lora:4;alpha=8;scaling=root-rank;weights=query",
        "pissa:3;alpha=0.125;weights=attention-output",
        "dora:3;alpha=0.125;weights=key",
        "vera:16;start=0.5;seed=3;weights=key",
        "lora-xs:3;weights=query",
        "oft:8;weights=query",
        "boft:8;factors=3;weights=query",
        "hra:4;weights=query",
        "ia3;weights=query+intermediate",
        "bias;weights=query",
        "norms",
        "full;weights=query+key+value",
        "head"
      })
  void theCanonicalTextHoldsEverySetting(String spec) {
    AdapterMethod method = AdapterMethod.parse(spec);

    assertThat(method.spec()).isEqualTo(spec);
    assertThat(AdapterMethod.parse(method.spec())).isEqualTo(method);
  }

  @Test
  void theTextSaysWhatTheRecordsHold() {
    assertThat(AdapterMethod.parse("svft:banded:1;weights=value+query;rank=64"))
        .isEqualTo(
            new Svft(new BandedPattern(1), 64, EnumSet.of(WeightRole.QUERY, WeightRole.VALUE)));
    assertThat(AdapterMethod.parse("lora:4"))
        .isEqualTo(new Lora(4, 8, Lora.Scaling.RANK, WeightRole.all()));
    assertThat(AdapterMethod.parse("full")).isEqualTo(new FullFineTuning());
    assertThat(AdapterMethod.parse("head")).isEqualTo(new HeadOnly());
  }

  @Test
  void methodsAreKnownByShortNames() {
    assertThat(List.of("svft:banded:1", "lora:8", "full", "head"))
        .extracting(text -> AdapterMethod.parse(text).id())
        .containsExactly("svft", "lora", "full", "head");
  }

  @Test
  void theOrderInWhichWeightsAreGivenDoesNotMatter() {
    Set<WeightRole> reversed =
        new LinkedHashSet<>(List.of(WeightRole.OUTPUT, WeightRole.VALUE, WeightRole.QUERY));
    Lora lora = new Lora(2, 4, Lora.Scaling.RANK, reversed);

    assertThat(lora.weights())
        .containsExactly(WeightRole.QUERY, WeightRole.VALUE, WeightRole.OUTPUT);
    assertThat(lora.spec()).isEqualTo("lora:2;alpha=4;weights=query+value+output");
  }

  @Test
  void aMethodKeepsItsWeightsWhateverBecomesOfTheSetItWasGiven() {
    Set<WeightRole> given = EnumSet.of(WeightRole.KEY);
    FullFineTuning full = new FullFineTuning(given);
    given.add(WeightRole.VALUE);

    assertThat(full.weights()).containsExactly(WeightRole.KEY);
  }

  @Test
  void allSixWeightsAreAdaptedByDefaultAndTheSquareOnesByTopK() {
    assertThat(new Svft(new BandedPattern(1)).weights()).containsExactly(WeightRole.values());
    assertThat(new Lora(8).weights()).containsExactly(WeightRole.values());
    assertThat(new FullFineTuning().weights()).containsExactly(WeightRole.values());
    assertThat(new HeadOnly().weights()).isEmpty();
    assertThat(new Svft(new TopKPattern(1)).weights()).isEqualTo(SQUARE);
    assertThat(new Svft(new BandedPattern(1), 0, SQUARE).spec())
        .isEqualTo("svft:banded:1;weights=query+key+value+attention-output");
  }

  @Test
  void topKRefusesAWeightThatIsNotSquare() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> AdapterMethod.parse("svft:top-k:1;weights=query+intermediate+output"))
        .withMessage(
            "svft:top-k:1: not square: intermediate+output; top-k is defined for square weights"
                + " only: use query+key+value+attention-output");
  }

  @Test
  void lorasScaleIsAlphaOverRank() {
    assertThat(new Lora(8).scale()).isEqualTo(2);
    assertThat(new Lora(8, 4, Lora.Scaling.RANK, WeightRole.all()).scale()).isEqualTo(0.5);
    assertThat(new Lora(16, 4, Lora.Scaling.ROOT_RANK, WeightRole.all()).scale()).isEqualTo(1);
  }

  @Test
  void settingsOutOfRangeAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Svft(new PlainPattern(), -1, WeightRole.all()))
        .withMessageContaining("rank is -1");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> AdapterMethod.parse("lora:0"))
        .withMessage("lora: rank is 0, and must be positive");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> AdapterMethod.parse("lora:8;alpha=0"))
        .withMessage("lora: alpha is 0.0, and must be positive and finite");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Lora(8, Double.NaN, Lora.Scaling.RANK, WeightRole.all()))
        .withMessageContaining("alpha is NaN");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new FullFineTuning(Set.of()))
        .withMessageContaining("no weight to adapt");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "SVFT", "qlora:8", "full:1", "head:", " svft", "plain", "banded:1", "none"})
  void anUnknownMethodIsRefusedWithTheKnownOnes(String text) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> AdapterMethod.parse(text))
        .withMessage(
            "unknown adapter method \"%s\": use svft, svft:PATTERN, svf, lora, lora:RANK, pissa, pissa:RANK, dora, dora:RANK, vera,"
                + " vera:RANK, lora-xs, lora-xs:RANK, oft, oft:BLOCK, boft, boft:BLOCK, hra, hra:RANK,"
                + " ia3, bias, norms, full or head",
            text);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "svft:banded | unknown pattern \"banded\"",
        "svft: | unknown pattern \"\"",
        "svft;alpha=2 | unknown option \"alpha\": it takes rank and weights",
        "svft;rank=-1 | rank \"-1\" is not a whole number",
        "svft;rank=99999999999 | rank \"99999999999\" is not a whole number",
        "svft;rank=1;rank=1 | option rank is given twice",
        "svft;weights=q | unknown weight \"q\": use query+key+value+attention-output+",
        "svft;weights= | unknown weight \"\"",
        "svft; | option \"\" is not of the form name=value",
        "lora: | rank \"\" is not a whole number",
        "lora;scaling=root | lora: unknown scaling \"root\": use rank or root-rank",
        "dora:0 | dora: rank is 0, and must be positive",
        "vera;start=0 | vera: start is 0.0, and must be positive and finite",
        "lora-xs:0 | lora-xs: rank is 0, and must be positive",
        "oft:1 | oft: block is 1, and must be 2 or more",
        "boft:3 | boft: block is 3, and must be even with more than one factor",
        "boft;factors=0 | boft: factors is 0, not from 1 to 16",
        "hra:3 | hra: rank is 3, and must be even: reflections start in pairs that cancel",
        "pissa:0 | pissa: rank is 0, and must be positive",
        "pissa;alpha=0 | pissa: alpha is 0.0, and must be positive and finite",
        "lora:x | rank \"x\" is not a whole number",
        "lora;alpha=1e3 | alpha \"1e3\" is not a decimal number",
        "full;rank=1 | unknown option \"rank\": it takes weights",
        "head;weights=query | unknown option \"weights\": it takes none"
      })
  void aMalformedSettingIsRefusedByName(String text, String reason) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> AdapterMethod.parse(text))
        .withMessageContaining(reason)
        .withMessageNotContaining("\n");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:random:1:7;weights=query",
        "svft:top-k:1",
        "lora",
        "pissa",
        "dora",
        "vera",
        "lora-xs",
        "oft",
        "boft",
        "hra",
        "ia3",
        "bias",
        "norms",
        "full",
        "head"
      })
  void serializationKeepsEverySetting(String text) throws Exception {
    AdapterMethod method = AdapterMethod.parse(text);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(method);
    }

    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      assertThat(in.readObject()).isEqualTo(method);
    }
  }
}
