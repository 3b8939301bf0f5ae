package io.millrace.svft.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class SlicesTest {
  private static final Random RANDOM = new Random(5);

  private static List<long[][]> batches() {
    List<long[][]> batches = new ArrayList<>();
    for (int round = 0; round < 500; round++) {
      int longest = 1 + RANDOM.nextInt(128);
      batches.add(
          IntStream.range(0, 1 + RANDOM.nextInt(64))
              .mapToObj(i -> new long[1 + RANDOM.nextInt(longest)])
              .toArray(long[][]::new));
    }
    return batches;
  }

  @Test
  void everySequenceIsInOneSlice() {
    for (long[][] batch : batches()) {
      assertThat(Slices.of(batch).stream().flatMapToInt(Arrays::stream).sorted())
          .containsExactlyElementsOf(IntStream.range(0, batch.length).boxed().toList());
    }
  }

  @Test
  void theirNumberIsAPowerOfTwoAndNoneIsEmpty() {
    for (long[][] batch : batches()) {
      List<int[]> slices = Slices.of(batch);

      assertThat(Integer.bitCount(slices.size())).isEqualTo(1);
      assertThat(slices).hasSizeGreaterThanOrEqualTo(Math.min(2, batch.length));
      assertThat(slices).allSatisfy(slice -> assertThat(slice).isNotEmpty());
    }
  }

  /**
   * A slice ends with the sequence that fills its share, so it exceeds the share by at most one
   * sequence.
   */
  @Test
  void noSliceIsLargerThanItsShareByMoreThanTheLongestSequences() {
    for (long[][] batch : batches()) {
      List<int[]> slices = Slices.of(batch);
      int longest = Arrays.stream(batch).mapToInt(s -> s.length).max().orElseThrow();
      int share = tokens(batch, IntStream.range(0, batch.length).toArray()) / slices.size();
      for (int[] slice : slices) {
        assertThat(tokens(batch, slice)).isLessThanOrEqualTo(share + 1 + longest);
      }
    }
  }

  @Test
  void sequencesOfLikeLengthGoTogether() {
    long[][] batch = {new long[9], new long[2], new long[8], new long[3], new long[2], new long[4]};

    assertThat(Slices.of(batch)).containsExactly(new int[] {1, 4, 3, 5}, new int[] {2, 0});
  }

  @Test
  void equalLengthsKeepTheirOrderSoThatTheCutIsAFunctionOfTheBatch() {
    long[][] batch = new long[8][5];

    assertThat(Slices.of(batch)).containsExactly(new int[] {0, 1, 2, 3}, new int[] {4, 5, 6, 7});
  }

  @Test
  void aLargeBatchIsCutIntoMoreSlices() {
    assertThat(Slices.of(new long[64][100])).hasSize(64);
    assertThat(Slices.of(new long[16][24])).hasSize(2);
    assertThat(Slices.of(new long[16][25])).hasSize(4);
    assertThat(Slices.of(new long[1][128])).hasSize(1);
  }

  private static int tokens(long[][] batch, int[] slice) {
    return Arrays.stream(slice).map(i -> batch[i].length).sum();
  }
}
