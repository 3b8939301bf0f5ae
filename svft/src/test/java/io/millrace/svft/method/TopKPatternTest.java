package io.millrace.svft.method;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.millrace.svft.model.SingularBasis;
import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("unit")
class TopKPatternTest {
  private static Site random(int width, int n, long seed) {
    Random random = new Random(seed);
    float[] u = new float[width * n];
    float[] vt = new float[n * width];
    for (int i = 0; i < u.length; i++) {
      u[i] = (float) random.nextGaussian();
      vt[i] = (float) random.nextGaussian();
    }
    return new Site("square", width, width, n, u, vt);
  }

  /** Computes every product separately and sorts all positions by it. */
  private static int[] largestProducts(Site site, int count) {
    int n = site.n();
    double[] products = new double[n * n];
    for (int p = 0; p < products.length; p++) {
      double sum = 0;
      for (int c = 0; c < site.out(); c++) {
        sum += (double) site.u()[c * n + p / n] * site.vt()[p % n * site.in() + c];
      }
      products[p] = Math.abs(sum);
    }
    return IntStream.range(0, n * n)
        .boxed()
        .sorted(Comparator.comparingDouble((Integer p) -> -products[p]).thenComparing(p -> p))
        .limit(count)
        .mapToInt(p -> p)
        .sorted()
        .toArray();
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 0", "8, 8, 1", "33, 33, 2", "33, 33, 40", "64, 20, 1", "96, 96, 0"})
  void theLargestProductsAreTaken(int width, int n, int d) {
    Site site = random(width, n, 100 * n + d);
    TopKPattern pattern = new TopKPattern(d);

    assertThat(pattern.positions(site).flat(n)).isEqualTo(largestProducts(site, pattern.size(n)));
  }

  @Test
  void theFactorsOfASymmetricMatrixResembleEachOtherOnTheDiagonal() {
    float[] w = new float[12 * 12];
    Random random = new Random(5);
    for (int i = 0; i < 12; i++) {
      for (int j = 0; j <= i; j++) {
        w[i * 12 + j] = w[j * 12 + i] = (float) random.nextGaussian();
      }
    }
    SingularBasis basis = SingularBasis.of(w, 12, 12);

    Site site = new Site("symmetric", 12, 12, 12, basis.u(), basis.vt());
    assertThat(new TopKPattern(0).positions(site)).isEqualTo(new PlainPattern().positions(12));
  }

  @Test
  void theSignsOfSingularVectorsDoNotMatter() {
    Site site = random(24, 24, 9);
    float[] u = site.u().clone();
    float[] vt = site.vt().clone();
    for (int k = 0; k < 24; k += 3) {
      for (int c = 0; c < 24; c++) {
        u[c * 24 + k] *= -1;
        vt[k * 24 + c] *= -1;
      }
    }

    TopKPattern pattern = new TopKPattern(2);
    assertThat(pattern.positions(new Site("flipped", 24, 24, 24, u, vt)))
        .isEqualTo(pattern.positions(site));
  }

  @Test
  void equalProductsAreTakenInRowMajorOrder() {
    float[] identity = new float[16];
    for (int i = 0; i < 4; i++) {
      identity[5 * i] = i % 2 == 0 ? 1 : -1;
    }
    Site site = new Site("identity", 4, 4, 4, identity, identity.clone());

    assertThat(new TopKPattern(1).positions(site).flat(4))
        .containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 10, 15);
  }

  @Test
  void aRectangularWeightIsRefusedByName() {
    Site site = new Site("encoder.layer.2.intermediate.dense", 1536, 384, 384);

    assertThatIllegalArgumentException()
        .isThrownBy(() -> new TopKPattern(1).positions(site))
        .withMessage(
            "encoder.layer.2.intermediate.dense is [1536, 384]: top-k is defined for square"
                + " weights only");
  }

  @Test
  void aFactorThatIsNotFiniteIsRefusedByName() {
    Site site = random(6, 6, 1);
    site.vt()[2 * 6 + 3] = Float.NaN;

    assertThatIllegalArgumentException()
        .isThrownBy(() -> new TopKPattern(1).positions(site))
        .withMessage("square: left singular vector 0 times right singular vector 2 is NaN");
  }

  @Test
  void missingFactorsAreRefusedByName() {
    assertThatIllegalStateException()
        .isThrownBy(() -> new TopKPattern(1).positions(new Site("query", 8, 8, 8)))
        .withMessageContaining("singular vectors of query");
  }
}
