package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class TokenBatchTest {
  private final TokenBatch batch = new TokenBatch(new long[][] {{11, 12}, {21, 22, 23}, {31}});

  @Test
  void packingKeepsRealTokensOnly() {
    assertThat(batch.packedIds()).containsExactly(11, 12, 21, 22, 23, 31);
    assertThat(batch.packedPositions()).containsExactly(0, 1, 0, 1, 2, 0);
  }

  @Test
  void paddingRepeatsASequencesOwnFirstRow() {
    assertThat(batch.padFrom()).containsExactly(0, 1, 0, 2, 3, 4, 5, 5, 5);
  }

  @Test
  void packingUndoesPadding() {
    long[] padFrom = batch.padFrom();

    assertThat(batch.packFrom()).containsExactly(0, 1, 3, 4, 5, 6);
    for (int row = 0; row < batch.tokens(); row++) {
      assertThat(padFrom[(int) batch.packFrom()[row]]).isEqualTo(row);
    }
  }

  @Test
  void theMaskHidesPaddingAndNothingElse() {
    float far = -1e9f;

    assertThat(batch.maskBias()).containsExactly(0, 0, far, 0, 0, 0, 0, far, far);
  }

  @Test
  void poolingAveragesEachSequencesOwnRows() {
    float third = 1f / 3;

    assertThat(batch.meanPooling())
        .containsExactly(
            0.5f, 0.5f, 0, 0, 0, 0, //
            0, 0, third, third, third, 0, //
            0, 0, 0, 0, 0, 1);
  }

  @Test
  void aSequenceWithoutTokensIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new TokenBatch(new long[][] {{1}, {}}))
        .withMessageContaining("sequence 1");
  }
}
