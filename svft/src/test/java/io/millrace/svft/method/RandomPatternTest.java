package io.millrace.svft.method;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.svft.tensor.Sha256;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("unit")
class RandomPatternTest {
  private static final String QUERY = "encoder.layer.0.attention.self.query";

  private static int[] draw(int d, long seed, String weight, int n) {
    return new RandomPattern(d, seed).positions(new Site(weight, n, n, n)).flat(n);
  }

  @ParameterizedTest
  @CsvSource({"1, 0", "2, 1", "8, 1", "8, 5", "8, 7", "384, 1", "768, 4"})
  void everyPlaceIsDrawnAtMostOnce(int n, int d) {
    assertThat(draw(d, 42, QUERY, n))
        .hasSize(new RandomPattern(d, 42).size(n))
        .doesNotHaveDuplicates();
  }

  @Test
  void theSameSeedAndNameDrawTheSameAndOthersDrawOthers() {
    assertThat(draw(1, 42, QUERY, 64)).isEqualTo(draw(1, 42, QUERY, 64));
    assertThat(draw(1, 42, QUERY, 64)).isNotEqualTo(draw(1, 43, QUERY, 64));
    assertThat(draw(1, 42, QUERY, 64))
        .isNotEqualTo(draw(1, 42, "encoder.layer.1.attention.self.query", 64));
  }

  /** Compares with an implementation of the specified algorithm in another language. */
  @Test
  void theDrawIsTheDocumentedOne() {
    assertThat(draw(1, 42, QUERY, 8))
        .containsExactly(
            1, 5, 6, 10, 13, 16, 18, 22, 24, 25, 26, 27, 30, 31, 44, 48, 52, 53, 57, 59, 60, 63);
    assertThat(hash(draw(1, 42, QUERY, 384)))
        .isEqualTo("46480698258d937ca1963b2fbf59e2f299203e5211e8a430998c8215d2ed952f");
    assertThat(hash(draw(2, -7, "transformer.layer.5.ffn.lin2", 768)))
        .isEqualTo("d2b34d5f9f56c622c5ed2a001b439724a586b6ec40803c2a003f4ab4aa9229b7");
  }

  @Test
  void everyPlaceIsEquallyLikely() {
    int n = 16;
    int draws = 2000;
    int[] times = new int[n * n];
    for (int k = 0; k < draws; k++) {
      for (int flat : draw(1, k, "weight." + k, n)) {
        times[flat]++;
      }
    }

    double share = new RandomPattern(1, 0).size(n) / (double) (n * n);
    double deviation = Math.sqrt(draws * share * (1 - share));
    assertThat(Arrays.stream(times).boxed())
        .allSatisfy(count -> assertThat(Math.abs(count - draws * share)).isLessThan(5 * deviation));
  }

  private static String hash(int[] flat) {
    String text = Arrays.stream(flat).mapToObj(String::valueOf).collect(Collectors.joining(","));
    return Sha256.of(text.getBytes(StandardCharsets.UTF_8));
  }
}
