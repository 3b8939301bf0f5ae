package io.millrace.pipeline.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class PrequentialAccuracyTest {
  @Test
  void theErrorOfASingleDomainIsThatOfIndependentExamples() {
    List<boolean[]> domains = List.of(of(3, 4), new boolean[0]);

    assertThat(PrequentialAccuracy.of(domains, 0, 1)).isEqualTo(0.75);
    assertThat(PrequentialAccuracy.standardError(domains, 0, 1))
        .isCloseTo(Math.sqrt(0.75 * 0.25 / 4), within(1e-12));
  }

  /** p = 6 / 10; residuals 2 - 0.6 * 2, 1 - 0.6 * 4, 3 - 0.6 * 4. */
  @Test
  void theErrorOfSeveralDomainsIsClusteredByDomain() {
    List<boolean[]> domains = List.of(of(2, 2), of(1, 4), of(3, 4));

    assertThat(PrequentialAccuracy.standardError(domains, 0, 1))
        .isCloseTo(Math.sqrt(3 / 2.0 * (0.8 * 0.8 + 1.4 * 1.4 + 0.6 * 0.6)) / 10, within(1e-12));
  }

  /** Of three examples, the first is the first third, of one example the last. */
  @Test
  void aThirdHasTheErrorOfItsOwnExamples() {
    List<boolean[]> domains = List.of(of(1, 3), of(0, 3), of(1, 1));

    assertThat(PrequentialAccuracy.standardError(domains, 0, 3))
        .isCloseTo(Math.sqrt(2 * (0.25 + 0.25)) / 2, within(1e-12));
    assertThat(PrequentialAccuracy.standardError(domains, 1, 3)).isZero();
    assertThat(PrequentialAccuracy.standardError(List.of(), 0, 3)).isZero();
  }

  /** So many right, then wrong. */
  private static boolean[] of(int right, int all) {
    boolean[] correct = new boolean[all];
    Arrays.fill(correct, 0, right, true);
    return correct;
  }
}
