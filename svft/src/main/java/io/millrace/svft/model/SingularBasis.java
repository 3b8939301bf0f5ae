package io.millrace.svft.model;

import java.util.Arrays;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.factory.DecompositionFactory_DDRM;
import org.ejml.interfaces.decomposition.SingularValueDecomposition_F64;

/**
 * The thin singular value decomposition W = U diag(Σ) Vᵀ of one weight.
 *
 * <p>An SVD is unique only up to the signs of its vectors and, for equal singular values, up to
 * rotations. Two libraries or two processors therefore rarely agree on its bits. This one is
 * computed in float64 by a pure Java library. Java's arithmetic is strict since version 17 (JEP
 * 306), so every machine computes the same factors. In addition, signs are fixed: the entry of
 * largest magnitude in each column of U is positive. The factors are stored and hashed like any
 * other tensor: see {@link ModelStore}.
 *
 * @param u [out, n], row-major
 * @param s [n], descending
 * @param vt [n, in], row-major
 */
public record SingularBasis(float[] u, float[] s, float[] vt) {

  /**
   * Decomposes a weight.
   *
   * @param w [out, in], row-major
   * @throws IllegalArgumentException if a value is not finite or the iteration does not converge
   */
  public static SingularBasis of(float[] w, int out, int in) {
    int n = Math.min(out, in);
    DMatrixRMaj matrix = new DMatrixRMaj(out, in);
    for (int i = 0; i < w.length; i++) {
      if (!Float.isFinite(w[i])) {
        throw new IllegalArgumentException("value " + i + " is " + w[i]);
      }
      matrix.data[i] = w[i];
    }
    SingularValueDecomposition_F64<DMatrixRMaj> svd =
        DecompositionFactory_DDRM.svd(out, in, true, true, true);
    if (!svd.decompose(matrix)) {
      throw new IllegalArgumentException("its singular value decomposition does not converge");
    }
    DMatrixRMaj left = svd.getU(null, false);
    DMatrixRMaj right = svd.getV(null, true);
    double[] sigma = svd.getSingularValues();
    Integer[] order = new Integer[n];
    for (int i = 0; i < n; i++) {
      order[i] = i;
    }
    Arrays.sort(order, (a, b) -> Double.compare(sigma[b], sigma[a]));

    float[] u = new float[out * n];
    float[] s = new float[n];
    float[] vt = new float[n * in];
    for (int k = 0; k < n; k++) {
      int from = order[k];
      double sign = signOfLargest(left, from, out);
      s[k] = (float) sigma[from];
      for (int row = 0; row < out; row++) {
        u[row * n + k] = (float) (sign * left.get(row, from));
      }
      for (int column = 0; column < in; column++) {
        vt[k * in + column] = (float) (sign * right.get(from, column));
      }
    }
    return new SingularBasis(u, s, vt);
  }

  private static double signOfLargest(DMatrixRMaj matrix, int column, int rows) {
    double largest = 0;
    for (int row = 0; row < rows; row++) {
      double value = matrix.get(row, column);
      if (Math.abs(value) > Math.abs(largest)) {
        largest = value;
      }
    }
    return largest < 0 ? -1 : 1;
  }
}
