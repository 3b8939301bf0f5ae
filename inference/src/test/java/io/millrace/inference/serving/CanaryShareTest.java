package io.millrace.inference.serving;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class CanaryShareTest {
  private static final String CANDIDATE = "c".repeat(64);
  private static final int KEYS = 20_000;

  @ParameterizedTest
  @ValueSource(doubles = {0.001, 0.1, 1 / 3.0, 0.5, 0.9})
  void aCandidateAnswersItsShareOfTheKeys(double share) {
    CanaryShare canary = new CanaryShare("films", CANDIDATE, share);

    long held = IntStream.range(0, KEYS).filter(i -> canary.holds("request " + i)).count();

    // Five standard deviations of a binomial count.
    double deviation = Math.sqrt(KEYS * share * (1 - share));
    assertThat((double) held).isBetween(KEYS * share - 5 * deviation, KEYS * share + 5 * deviation);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.001, 0.1, 1 / 3.0, 0.5})
  void aKeyIsTheCandidatesWhereItsHashIsBelowTheShare(double share) throws Exception {
    CanaryShare canary = new CanaryShare("films", CANDIDATE, share);
    for (int i = 0; i < 1000; i++) {
      String key = "schlüssel " + i;
      byte[] hash =
          MessageDigest.getInstance("SHA-256")
              .digest(("films\0" + CANDIDATE + "\0" + key).getBytes(StandardCharsets.UTF_8));
      double fraction = new BigInteger(1, hash).shiftRight(192).doubleValue() / 0x1p64;

      assertThat(canary.holds(key)).isEqualTo(fraction < share);
    }
  }

  @Test
  void aShareOfOneHoldsEveryKeyAndOneOfZeroNone() {
    CanaryShare all = new CanaryShare("films", CANDIDATE, 1);
    CanaryShare none = new CanaryShare("films", CANDIDATE, 0);

    assertThat(IntStream.range(0, 1000)).allMatch(i -> all.holds("" + i));
    assertThat(IntStream.range(0, 1000)).noneMatch(i -> none.holds("" + i));
  }

  @Test
  void aLargerShareKeepsTheKeysOfASmallerOne() {
    CanaryShare tenth = new CanaryShare("films", CANDIDATE, 0.1);
    CanaryShare half = new CanaryShare("films", CANDIDATE, 0.5);

    assertThat(IntStream.range(0, KEYS).filter(i -> tenth.holds("" + i)))
        .isNotEmpty()
        .allMatch(i -> half.holds("" + i));
  }

  @Test
  void anotherCandidateAndAnotherDomainHaveOtherKeys() {
    CanaryShare one = new CanaryShare("films", CANDIDATE, 0.5);
    CanaryShare other = new CanaryShare("films", "d".repeat(64), 0.5);
    CanaryShare elsewhere = new CanaryShare("books", CANDIDATE, 0.5);

    assertThat(IntStream.range(0, 100).filter(i -> one.holds("" + i) != other.holds("" + i)))
        .hasSizeBetween(20, 80);
    assertThat(IntStream.range(0, 100).filter(i -> one.holds("" + i) != elsewhere.holds("" + i)))
        .hasSizeBetween(20, 80);
  }
}
