package io.millrace.svft.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.millrace.svft.TinyModel;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.tensor.BatchLayout;
import io.millrace.svft.tensor.Kernels;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class TokenBatchTest {
  private final TokenBatch batch = new TokenBatch(new long[][] {{11, 12}, {21, 22, 23}, {31}});
  private final List<TokenBatch.SizeClass> classes = batch.classes(Kernels.FAST);

  @Test
  void packingKeepsRealTokensOnly() {
    assertThat(batch.packedIds(6)).containsExactly(11, 12, 21, 22, 23, 31);
    assertThat(batch.packedPositions(TinyModel.CONFIG, 6)).containsExactly(0, 1, 0, 1, 2, 0);
  }

  @ParameterizedTest
  @CsvSource({
    "1, 2 1 1 3 4 5",
    // The token that ends every text pads as well.
    "2, 3 4 5 6 7 2",
    // So does the one that begins it.
    "0, 0 1 2 3 4 5"
  })
  void robertaCountsTheTokensThatAreNotPadding(int padding, String rows) {
    EncoderConfig config =
        new EncoderConfig(
            Architecture.ROBERTA, Pooling.MEAN, 2, 16, 2, 24, 100, 64, padding + 1, 1, 1e-5f);

    assertThat(new TokenBatch(new long[][] {{0, 1, 1, 40, 50, 2}}).packedPositions(config, 6))
        .containsExactly(Stream.of(rows.split(" ")).mapToLong(Long::parseLong).toArray());
  }

  @Test
  void otherFamiliesCountEveryToken() {
    EncoderConfig bert =
        new EncoderConfig(Architecture.BERT, Pooling.MEAN, 2, 16, 2, 24, 100, 64, 0, 2, 1e-12f);

    assertThat(new TokenBatch(new long[][] {{2, 0, 0, 7}}).packedPositions(bert, 4))
        .containsExactly(0, 1, 2, 3);
  }

  @ParameterizedTest
  @CsvSource({"1, 16", "16, 16", "17, 32", "33, 48", "64, 64", "97, 128", "129, 256", "512, 512"})
  void sequencesArePaddedToFewSizes(int tokens, int places) {
    assertThat(TokenBatch.places(tokens)).isEqualTo(places);
  }

  @Test
  void aSliceOfEarlierReleasesIsPaddedToItsLongestSequence() {
    long[][] ids = {new long[3], new long[17]};

    assertThat(TokenBatch.slice(ids).classes(Kernels.FAST))
        .containsExactly(new TokenBatch.SizeClass(17, List.of(0, 1)));
    assertThat(new TokenBatch(ids).classes(Kernels.FAST))
        .containsExactly(
            new TokenBatch.SizeClass(16, List.of(0)), new TokenBatch.SizeClass(32, List.of(1)));
  }

  @Test
  void everyRowHasTheAdapterOfItsSegment() {
    TokenBatch two =
        new TokenBatch(
            BatchLayout.SEGMENTS,
            List.of(
                new TokenBatch.Segment(new long[][] {{1, 2}, {3}}, 1),
                new TokenBatch.Segment(new long[][] {{4}}, 0)),
            16);

    assertThat(two.rows(Kernels.FAST)).isEqualTo(16);
    assertThat(Arrays.copyOf(two.adapters(16), 5)).containsExactly(1, 1, 1, 0, 0);
    assertThat(two.rowCuts(Kernels.FAST)).containsExactly(0, 3, 4);
    assertThat(two.sequenceCuts()).containsExactly(0, 2, 3);
    assertThat(two.owners()).containsExactly(1, 0);
  }

  @Test
  void eachHeadOfASequenceTakesItsOwnRowsAndPaddingRepeatsTheFirst() {
    long[] padFrom = batch.padFrom(2, classes);

    assertThat(padFrom).hasSize(3 * 2 * 16);
    // Token t's head h is row 2t + h; the second sequence's tokens are 2, 3 and 4.
    assertThat(Arrays.copyOfRange(padFrom, 2 * 16, 2 * 16 + 5)).containsExactly(4, 6, 8, 4, 4);
    assertThat(Arrays.copyOfRange(padFrom, 3 * 16, 3 * 16 + 5)).containsExactly(5, 7, 9, 5, 5);
    assertThat(Arrays.copyOfRange(padFrom, 5 * 16, 6 * 16)).containsOnly(11);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 12})
  void packingUndoesPadding(int heads) {
    long[] padFrom = batch.padFrom(heads, classes);
    long[] packFrom = batch.packFrom(heads, classes);

    assertThat(packFrom).hasSize(batch.tokens() * heads);
    for (int row = 0; row < packFrom.length; row++) {
      assertThat(padFrom[(int) packFrom[row]]).isEqualTo(row);
    }
  }

  @Test
  void theMaskHidesPaddingAndNothingElse() {
    float[] mask = batch.maskBias(2, classes);
    int[] lengths = {2, 2, 3, 3, 1, 1};

    assertThat(mask).hasSize(6 * 16);
    for (int i = 0; i < mask.length; i++) {
      assertThat(mask[i]).isEqualTo(i % 16 < lengths[i / 16] ? 0 : -1e9f);
    }
  }

  @Test
  void meanPoolingAveragesEachSequencesOwnRows() {
    float third = 1f / 3;

    assertThat(batch.pooling(Pooling.MEAN, 6))
        .containsExactly(
            0.5f, 0.5f, 0, 0, 0, 0, //
            0, 0, third, third, third, 0, //
            0, 0, 0, 0, 0, 1);
  }

  @Test
  void firstTokenPoolingTakesEachSequencesFirstRow() {
    assertThat(batch.pooling(Pooling.FIRST_TOKEN, 6))
        .containsExactly(
            1, 0, 0, 0, 0, 0, //
            0, 0, 1, 0, 0, 0, //
            0, 0, 0, 0, 0, 1);
  }

  @Test
  void aSequenceWithoutTokensIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new TokenBatch(new long[][] {{1}, {}}))
        .withMessageContaining("sequence 1");
  }
}
