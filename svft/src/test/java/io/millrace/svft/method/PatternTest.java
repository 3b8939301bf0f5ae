package io.millrace.svft.method;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class PatternTest {
  private static List<Pattern> patterns(int d) {
    return List.of(
        new BandedPattern(d), new RandomPattern(d, 3), new TopKPattern(d), new GradientPattern(d));
  }

  @ParameterizedTest
  @CsvSource({
    "1, 0, 1",
    "4, 1, 10",
    "4, 2, 14",
    "32, 3, 212",
    "384, 0, 384",
    "384, 1, 1150",
    "384, 2, 1914",
    "384, 8, 6456",
    "768, 1, 2302",
    "768, 4, 6892"
  })
  void allPatternsOfOneWidthTrainEquallyManyValues(int n, int d, int count) {
    assertThat(count).isEqualTo(n * (2 * d + 1) - d * (d + 1));
    assertThat(patterns(d)).allSatisfy(pattern -> assertThat(pattern.size(n)).isEqualTo(count));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5, 384})
  void noPatternTrainsMoreThanTheWholeMatrix(int n) {
    for (int d : new int[] {n - 1, n, 3 * n, Integer.MAX_VALUE}) {
      assertThat(patterns(d)).allSatisfy(pattern -> assertThat(pattern.size(n)).isEqualTo(n * n));
    }
    assertThat(new BandedPattern(Integer.MAX_VALUE).positions(n).size()).isEqualTo(n * n);
  }

  @Test
  void plainIsTheDiagonal() {
    PlainPattern plain = new PlainPattern();

    assertThat(plain.size(384)).isEqualTo(384);
    assertThat(plain.positions(3).flat(3)).containsExactly(0, 4, 8);
    assertThat(plain.positions(384)).isEqualTo(new BandedPattern(0).positions(384));
    assertThat(plain.positions(384).isDiagonal()).isTrue();
  }

  @ParameterizedTest
  @CsvSource({"1, 0", "7, 1", "7, 3", "7, 6", "7, 9", "384, 2"})
  void aBandHoldsThePlacesNearTheDiagonalAndNoOther(int n, int d) {
    BandedPattern banded = new BandedPattern(d);
    boolean[] taken = new boolean[n * n];
    for (int flat : banded.positions(n).flat(n)) {
      taken[flat] = true;
    }

    assertThat(banded.positions(n).size()).isEqualTo(banded.size(n));
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        assertThat(taken[i * n + j]).isEqualTo(Math.abs(i - j) <= d);
      }
    }
  }

  @Test
  void aRectangularWeightCountsItsShorterSide() {
    Site intermediate = new Site("encoder.layer.0.intermediate.dense", 1536, 384, 384);
    Site output = new Site("encoder.layer.0.output.dense", 384, 1536, 384);

    for (Site site : List.of(intermediate, output)) {
      assertThat(new PlainPattern().positions(site).size()).isEqualTo(384);
      assertThat(new BandedPattern(1).positions(site).size()).isEqualTo(1150);
      assertThat(new RandomPattern(1, 0).positions(site).size()).isEqualTo(1150);
    }
  }

  @Test
  void aTruncatedBasisCountsItsLeadingDirections() {
    Site truncated = new Site("encoder.layer.0.output.dense", 384, 1536, 128);

    assertThat(new PlainPattern().positions(truncated).size()).isEqualTo(128);
    assertThat(new BandedPattern(1).positions(truncated).flat(128)).hasSize(382);
    assertThat(new RandomPattern(1, 0).positions(truncated).flat(128)).hasSize(382);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "plain",
        "banded:0",
        "banded:1",
        "random:1:42",
        "random:2:-7",
        "random:0:-9223372036854775808",
        "top-k:1",
        "gradient:12"
      })
  void theCanonicalTextIsReadBack(String id) {
    assertThat(Pattern.parse(id).id()).isEqualTo(id);
    assertThat(Pattern.parse(Pattern.parse(id).id())).isEqualTo(Pattern.parse(id));
  }

  @ParameterizedTest
  @CsvSource({"random:1, random:1:0", "topk:1, top-k:1", "banded:01, banded:1"})
  void otherFormsHaveACanonicalOne(String text, String id) {
    assertThat(Pattern.parse(text).id()).isEqualTo(id);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "plain:",
        "plain:1",
        "Plain",
        " plain",
        "band:1",
        "banded",
        "banded:",
        "banded:-1",
        "banded:+1",
        "banded:1.5",
        "banded:1:1",
        "banded:٣",
        "banded:2147483648",
        "random",
        "random:x",
        "random:1:",
        "random:1:x",
        "random:1:9223372036854775808",
        "random:1:2:3",
        "top-k",
        "top-k:x",
        "gradient",
        "gradient::"
      })
  void anUnknownFormIsRefusedWithTheKnownOnes(String text) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Pattern.parse(text))
        .withMessage(
            "unknown pattern \"%s\": use plain, banded:D, random:D, random:D:SEED, top-k:D or"
                + " gradient:D, D a whole number from 0",
            text);
  }

  @Test
  void aNegativeWidthIsRefused() {
    assertThatIllegalArgumentException().isThrownBy(() -> new BandedPattern(-1));
    assertThatIllegalArgumentException().isThrownBy(() -> new RandomPattern(-1, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> new TopKPattern(-1));
    assertThatIllegalArgumentException().isThrownBy(() -> new GradientPattern(-1));
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 46341})
  void aMatrixThatCannotBeIsRefused(int n) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new PlainPattern().size(n))
        .withMessage("M cannot be %d × %d", n, n);
  }

  @Test
  void whatAPatternNeedsIsTold() {
    assertThat(new PlainPattern().closedForm()).isTrue();
    assertThat(new BandedPattern(1).closedForm()).isTrue();
    assertThat(new RandomPattern(1, 0).closedForm()).isFalse();
    assertThat(new TopKPattern(1).closedForm()).isFalse();
    assertThat(new GradientPattern(1).closedForm()).isFalse();
    assertThat(List.of(new PlainPattern(), new RandomPattern(1, 0), new TopKPattern(1)))
        .noneMatch(Pattern::needsGradients);
    assertThat(new GradientPattern(1).needsGradients()).isTrue();
    assertThat(new TopKPattern(1).needsBasis()).isTrue();
    assertThat(new GradientPattern(1).needsBasis()).isFalse();
  }

  @Test
  void aSiteOfImpossibleShapeIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Site("w", 4, 8, 5))
        .withMessage("w [4, 8] has no 5 singular directions");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Site("w", 4, 8, 2, new float[9], new float[16]))
        .withMessage("U of w has 9 values: not [4, 2]");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Site("w", 4, 8, 2, new float[8], new float[8]))
        .withMessage("Vt of w has 8 values: not [2, 8]");
  }
}
