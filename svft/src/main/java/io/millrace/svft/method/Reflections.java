package io.millrace.svft.method;

/**
 * A product of Householder reflections H_r ... H_1 as I + U S Uᵀ, and the gradient of their
 * vectors. Computes in double precision.
 */
final class Reflections {
  private final int in;
  private final int r;
  private final double[] norms;

  /** The normalized vectors, the last reflection's first, [in, r]. */
  private final double[] u;

  /** [r, r], upper triangular. */
  private final double[] s;

  /**
   * @param vectors [in, r], of H_1, ..., H_r
   */
  Reflections(float[] vectors, int in, int r) {
    this.in = in;
    this.r = r;
    this.norms = new double[r];
    this.u = new double[in * r];
    for (int k = 0; k < r; k++) {
      double square = 0;
      for (int i = 0; i < in; i++) {
        double value = vectors[i * r + r - 1 - k];
        square += value * value;
      }
      norms[k] = StrictMath.sqrt(square);
      for (int i = 0; i < in; i++) {
        u[i * r + k] = vectors[i * r + r - 1 - k] / norms[k];
      }
    }
    this.s = minusInverse();
  }

  /** S = −N⁻¹ for the upper triangular N with ½ on the diagonal and UᵀU above it. */
  private double[] minusInverse() {
    double[] n = new double[r * r];
    for (int i = 0; i < in; i++) {
      for (int k = 0; k < r; k++) {
        for (int j = k + 1; j < r; j++) {
          n[k * r + j] += u[i * r + k] * u[i * r + j];
        }
      }
    }
    double[] inverse = new double[r * r];
    for (int column = 0; column < r; column++) {
      inverse[column * r + column] = -2;
      for (int row = column - 1; row >= 0; row--) {
        double sum = 0;
        for (int j = row + 1; j <= column; j++) {
          sum += n[row * r + j] * inverse[j * r + column];
        }
        inverse[row * r + column] = -2 * sum;
      }
    }
    return inverse;
  }

  /** [in, r]. */
  float[] u() {
    return floats(u);
  }

  /** [r, r]. */
  float[] s() {
    return floats(s);
  }

  private static float[] floats(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  /**
   * The gradient of the vectors from those of U and then S.
   *
   * @param gradient the engine's gradients
   * @param at index of U's first
   * @param vectors receives [in, r]
   * @param offset index of the first
   */
  void gradient(float[] gradient, int at, float[] vectors, int offset) {
    double[] n = ofN(gradient, at + in * r);
    for (int k = 0; k < r; k++) {
      double along = 0;
      double[] own = new double[in];
      for (int i = 0; i < in; i++) {
        double sum = gradient[at + i * r + k];
        for (int j = k + 1; j < r; j++) {
          sum += n[k * r + j] * u[i * r + j];
        }
        for (int j = 0; j < k; j++) {
          sum += n[j * r + k] * u[i * r + j];
        }
        own[i] = sum;
        along += sum * u[i * r + k];
      }
      // A vector's length does not change its reflection.
      for (int i = 0; i < in; i++) {
        vectors[offset + i * r + r - 1 - k] = (float) ((own[i] - along * u[i * r + k]) / norms[k]);
      }
    }
  }

  /** The gradient Sᵀ G Sᵀ of N from the gradient G of S = −N⁻¹. */
  private double[] ofN(float[] gradient, int at) {
    double[] left = new double[r * r];
    double[] both = new double[r * r];
    for (int i = 0; i < r; i++) {
      for (int j = 0; j < r; j++) {
        for (int k = 0; k < r; k++) {
          left[i * r + j] += s[k * r + i] * gradient[at + k * r + j];
        }
      }
    }
    for (int i = 0; i < r; i++) {
      for (int j = 0; j < r; j++) {
        for (int k = 0; k < r; k++) {
          both[i * r + j] += left[i * r + k] * s[j * r + k];
        }
      }
    }
    return both;
  }
}
