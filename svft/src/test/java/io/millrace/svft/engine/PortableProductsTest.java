package io.millrace.svft.engine;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.pytorch.jni.IValue;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.tensor.TorchScript;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A portable product is a chain of fused multiply-adds for each piece of 96 terms, and the sum of
 * the pieces in their order: in plain Java the same bits, on whatever processor this runs.
 */
@Tag("unit")
class PortableProductsTest {
  private static final int PIECE = 96;
  private static final NDManager MANAGER = Torch.newManager(Torch.device("cpu"));
  private static final TorchScript PRODUCTS =
      new TorchScript(
          MANAGER,
          new TorchScript.Source(
              "/io/millrace/svft/engine/", "Products", List.of("portable/primitives")));

  private final Random random = new Random(11);

  @AfterAll
  static void close() {
    PRODUCTS.close();
    MANAGER.close();
  }

  @Test
  void aProductOfAnyShapeHasTheBitsOfTheChain() {
    for (int i = 0; i < 120; i++) {
      int rows = 1 + random.nextInt(i % 3 == 0 ? 400 : 40);
      int columns = 1 + random.nextInt(i % 2 == 0 ? 400 : 60);
      int terms = 1 + random.nextInt(i % 5 == 0 ? 1000 : 200);
      float[] a = values(rows * terms);
      float[] b = values(terms * columns);
      float[] expected = chain(a, b, rows, columns, terms);
      String shape = rows + " x " + columns + ", " + terms + " terms";

      assertThat(product("nn", a, b, new long[] {rows, terms}, new long[] {terms, columns}))
          .as(shape)
          .isEqualTo(expected);
      assertThat(
              product(
                  "nt",
                  a,
                  transposed(b, terms, columns),
                  new long[] {rows, terms},
                  new long[] {columns, terms}))
          .as("%s, second factor transposed", shape)
          .isEqualTo(expected);
      assertThat(
              product(
                  "tn",
                  transposed(a, rows, terms),
                  b,
                  new long[] {terms, rows},
                  new long[] {terms, columns}))
          .as("%s, first factor transposed", shape)
          .isEqualTo(expected);
    }
  }

  /** Places are a multiple of 48, and heads are widened to 48 columns, or 64. */
  @Test
  void aProductOfAttentionHasTheBitsOfTheChain() {
    for (int places : List.of(48, 96, 144)) {
      for (int width : List.of(48, 64)) {
        float[] a = values(places * places);
        float[] b = values(places * width);

        assertThat(
                product("bnn", a, b, new long[] {1, places, places}, new long[] {1, places, width}))
            .as("%d places, %d wide", places, width)
            .isEqualTo(chain(a, b, places, width, places));
      }
    }
  }

  private static float[] chain(float[] a, float[] b, int rows, int columns, int terms) {
    float[] sum = new float[rows * columns];
    for (int from = 0; from < terms; from += PIECE) {
      float[] piece = new float[rows * columns];
      for (int i = 0; i < rows; i++) {
        for (int k = from; k < Math.min(terms, from + PIECE); k++) {
          for (int j = 0; j < columns; j++) {
            piece[i * columns + j] =
                Math.fma(a[i * terms + k], b[k * columns + j], piece[i * columns + j]);
          }
        }
      }
      for (int i = 0; i < sum.length; i++) {
        sum[i] += piece[i];
      }
    }
    return sum;
  }

  private static float[] transposed(float[] matrix, int rows, int columns) {
    float[] transposed = new float[matrix.length];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        transposed[j * rows + i] = matrix[i * columns + j];
      }
    }
    return transposed;
  }

  private float[] values(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static float[] product(String form, float[] a, float[] b, long[] aShape, long[] bShape) {
    try (NDScope scope = new NDScope();
        IValue first = TorchScript.tensor(Torch.array(MANAGER, a, aShape));
        IValue second = TorchScript.tensor(Torch.array(MANAGER, b, bShape))) {
      return PRODUCTS.call(form, first, second).get(0).toFloatArray();
    }
  }
}
