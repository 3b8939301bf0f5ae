package io.millrace.svft.method;

import java.util.Arrays;

/**
 * Cayley's transform of skew-symmetric blocks to rotations, R = (I − X) (I + X)⁻¹, and its
 * gradient. Computes in double precision.
 */
final class Cayley {
  private final int size;
  private final double[] inverses;

  /**
   * @param skew [blocks, size, size], each block skew-symmetric, or a rotation
   */
  Cayley(double[] skew, int size) {
    this.size = size;
    this.inverses = new double[skew.length];
    for (int at = 0; at < skew.length; at += size * size) {
      invert(skew, at);
    }
  }

  /**
   * Inverts I + X by Gauss and Jordan's method. It needs no pivot: the symmetric part of I + X is
   * I, which is positive definite.
   */
  private void invert(double[] skew, int at) {
    double[] a = new double[size * size];
    double[] inverse = new double[size * size];
    System.arraycopy(skew, at, a, 0, a.length);
    for (int i = 0; i < size; i++) {
      a[i * size + i] += 1;
      inverse[i * size + i] = 1;
    }
    for (int k = 0; k < size; k++) {
      double pivot = a[k * size + k];
      for (int j = 0; j < size; j++) {
        a[k * size + j] /= pivot;
        inverse[k * size + j] /= pivot;
      }
      for (int i = 0; i < size; i++) {
        double factor = a[i * size + k];
        if (i != k && factor != 0) {
          for (int j = 0; j < size; j++) {
            a[i * size + j] -= factor * a[k * size + j];
            inverse[i * size + j] -= factor * inverse[k * size + j];
          }
        }
      }
    }
    System.arraycopy(inverse, 0, inverses, at, inverse.length);
  }

  /** The rotations [blocks, size, size]: R = 2 (I + X)⁻¹ − I. */
  float[] rotations() {
    double[] exact = transformed();
    float[] rotations = new float[exact.length];
    for (int k = 0; k < rotations.length; k++) {
      rotations[k] = (float) exact[k];
    }
    return rotations;
  }

  /**
   * The blocks 2 (I + X)⁻¹ − I, [blocks, size, size]. The transform is its own inverse: for
   * rotations in place of X these are the skew-symmetric blocks. Of a rotation by 180 degrees,
   * which has none, they are not finite, or far from skew-symmetric.
   */
  double[] transformed() {
    double[] transformed = new double[inverses.length];
    for (int k = 0; k < transformed.length; k++) {
      int inBlock = k % (size * size);
      transformed[k] = 2 * inverses[k] - (inBlock / size == inBlock % size ? 1 : 0);
    }
    return transformed;
  }

  /**
   * The gradient of the blocks X, −2 Nᵀ G Nᵀ, for the gradient G of the rotations and N = (I +
   * X)⁻¹.
   *
   * @param gradient of the rotations
   * @param at index of its first value
   * @return [blocks, size, size]
   */
  double[] gradient(float[] gradient, int at) {
    double[] result = new double[inverses.length];
    double[] left = new double[size * size];
    for (int block = 0; block < inverses.length; block += size * size) {
      Arrays.fill(left, 0);
      for (int k = 0; k < size; k++) {
        for (int i = 0; i < size; i++) {
          double n = inverses[block + k * size + i];
          for (int j = 0; j < size; j++) {
            left[i * size + j] += n * gradient[at + block + k * size + j];
          }
        }
      }
      for (int i = 0; i < size; i++) {
        for (int j = 0; j < size; j++) {
          double sum = 0;
          for (int k = 0; k < size; k++) {
            sum += left[i * size + k] * inverses[block + j * size + k];
          }
          result[block + i * size + j] = -2 * sum;
        }
      }
    }
    return result;
  }
}
