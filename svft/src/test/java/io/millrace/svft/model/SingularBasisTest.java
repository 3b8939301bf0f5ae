package io.millrace.svft.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.millrace.svft.tensor.Floats;
import io.millrace.svft.tensor.Sha256;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("unit")
class SingularBasisTest {
  /** A weight [out, in] of rank {@code rank}. */
  record Weight(String name, int out, int in, int rank, float[] values) {
    int n() {
      return Math.min(out, in);
    }

    SingularBasis basis() {
      return SingularBasis.of(values, out, in);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Weight> weights() {
    return Stream.of(
        new Weight("square", 12, 12, 12, gaussian(12 * 12)),
        new Weight("tall", 20, 7, 7, gaussian(20 * 7)),
        new Weight("wide", 7, 20, 7, gaussian(7 * 20)),
        new Weight("one row", 1, 9, 1, gaussian(9)),
        new Weight("one column", 9, 1, 1, gaussian(9)),
        new Weight("rank 2 of 8", 8, 10, 2, outerProducts(8, 10, 2)),
        new Weight("zero", 5, 5, 0, new float[25]),
        new Weight("identity", 6, 6, 6, identity(6)));
  }

  @ParameterizedTest
  @MethodSource("weights")
  void theFactorsMultiplyToTheWeight(Weight w) {
    SingularBasis basis = w.basis();
    for (int o = 0; o < w.out(); o++) {
      for (int i = 0; i < w.in(); i++) {
        double sum = 0;
        for (int k = 0; k < w.n(); k++) {
          sum += (double) basis.u()[o * w.n() + k] * basis.s()[k] * basis.vt()[k * w.in() + i];
        }
        assertThat(sum).isCloseTo(w.values()[o * w.in() + i], within(2e-6));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("weights")
  void columnsOfUAndRowsOfVtAreOrthonormal(Weight w) {
    SingularBasis basis = w.basis();
    for (int a = 0; a < w.n(); a++) {
      for (int b = 0; b < w.n(); b++) {
        double left = 0;
        double right = 0;
        for (int o = 0; o < w.out(); o++) {
          left += (double) basis.u()[o * w.n() + a] * basis.u()[o * w.n() + b];
        }
        for (int i = 0; i < w.in(); i++) {
          right += (double) basis.vt()[a * w.in() + i] * basis.vt()[b * w.in() + i];
        }
        assertThat(left).isCloseTo(a == b ? 1 : 0, within(1e-6));
        assertThat(right).isCloseTo(a == b ? 1 : 0, within(1e-6));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("weights")
  void singularValuesDescendAndAsManyAsTheRankAreNotZero(Weight w) {
    float[] s = w.basis().s();

    for (int k = 1; k < s.length; k++) {
      assertThat(s[k]).isBetween(0f, s[k - 1]);
    }
    for (int k = 0; k < s.length; k++) {
      assertThat(s[k] > 1e-6).as("value %d", k).isEqualTo(k < w.rank());
    }
  }

  @ParameterizedTest
  @MethodSource("weights")
  void theLargestEntryOfEachColumnOfUIsPositive(Weight w) {
    float[] u = w.basis().u();
    for (int k = 0; k < w.n(); k++) {
      float largest = 0;
      for (int o = 0; o < w.out(); o++) {
        float value = u[o * w.n() + k];
        largest = Math.abs(value) > Math.abs(largest) ? value : largest;
      }
      assertThat(largest).isPositive();
    }
  }

  @ParameterizedTest
  @MethodSource("weights")
  void theSameWeightGivesTheSameBits(Weight w) {
    assertThat(hash(w.basis())).isEqualTo(hash(w.basis()));
  }

  /**
   * A difference between machines, or between releases of the library below, would appear here
   * first.
   */
  @Test
  void theBasisOfAFixedMatrixHasAFixedHash() {
    float[] square = gaussian(32 * 32);
    float[] wide = gaussian(16 * 48);

    assertThat(hash(SingularBasis.of(square, 32, 32)))
        .isEqualTo("1a87c86040c0eac6da090acbb11a8e3dfd9159f237d5380a61cf5564edc5abfb");
    assertThat(hash(SingularBasis.of(wide, 16, 48)))
        .isEqualTo("ca351759381d44823d2d2f2b59c4852c43bc86516137e94d45b20ff174979d39");
  }

  @Test
  void theInputIsLeftAsItWas() {
    float[] values = gaussian(30);
    float[] before = values.clone();

    SingularBasis.of(values, 5, 6);

    assertThat(values).containsExactly(before);
  }

  @Test
  void aValueThatIsNotFiniteIsNamed() {
    float[] values = gaussian(4);
    values[3] = Float.NaN;

    assertThatIllegalArgumentException()
        .isThrownBy(() -> SingularBasis.of(values, 2, 2))
        .withMessage("value 3 is NaN");
  }

  private static String hash(SingularBasis basis) {
    float[] all = Arrays.copyOf(basis.u(), basis.u().length + basis.s().length + basis.vt().length);
    System.arraycopy(basis.s(), 0, all, basis.u().length, basis.s().length);
    System.arraycopy(basis.vt(), 0, all, basis.u().length + basis.s().length, basis.vt().length);
    return Sha256.of(Floats.toBytes(all));
  }

  private static float[] gaussian(int size) {
    Random random = new Random(size);
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static float[] outerProducts(int out, int in, int rank) {
    float[] left = gaussian(out * rank);
    float[] right = gaussian(rank * in + 1);
    float[] product = new float[out * in];
    for (int o = 0; o < out; o++) {
      for (int i = 0; i < in; i++) {
        for (int k = 0; k < rank; k++) {
          // Multiples of 1/8, so that the products and the rank are exact.
          product[o * in + i] +=
              Math.round(8 * left[o * rank + k]) / 8f * Math.round(8 * right[k * in + i]) / 8f;
        }
      }
    }
    return product;
  }

  private static float[] identity(int n) {
    float[] identity = new float[n * n];
    for (int i = 0; i < n; i++) {
      identity[i * n + i] = 1;
    }
    return identity;
  }
}
