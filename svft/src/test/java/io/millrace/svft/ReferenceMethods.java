package io.millrace.svft;

import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.BiasTuning;
import io.millrace.svft.method.Boft;
import io.millrace.svft.method.Dora;
import io.millrace.svft.method.Hra;
import io.millrace.svft.method.Ia3;
import io.millrace.svft.method.Oft;
import io.millrace.svft.method.Vera;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.SplitMix64;
import java.util.Arrays;

/** The definitions of methods as dense matrices in float64, each as its paper writes it. */
final class ReferenceMethods {
  private final EncoderConfig config;
  private final int out;
  private final int in;
  private final float[] own;

  private ReferenceMethods(EncoderConfig config, EncoderWeight weight, float[] own) {
    this.config = config;
    this.out = weight.out();
    this.in = weight.in();
    this.own = own;
  }

  /**
   * Changes a weight and its bias in place.
   *
   * @param own the method's values
   * @param w [out, in]
   * @param bias [out]
   */
  static void change(
      AdapterMethod method,
      EncoderConfig config,
      EncoderWeight weight,
      float[] own,
      double[] w,
      double[] bias) {
    ReferenceMethods values = new ReferenceMethods(config, weight, own);
    if (method instanceof Ia3) {
      values.scale(weight.role() == WeightRole.OUTPUT, w, bias);
    } else if (method instanceof BiasTuning) {
      for (int o = 0; o < bias.length; o++) {
        bias[o] = own[o];
      }
    } else if (method instanceof Vera vera) {
      values.addShared(vera, w);
    } else if (method instanceof Dora dora) {
      values.setNorms(dora, w);
    } else if (method instanceof Hra hra) {
      values.reflect(hra.rank(), w);
    } else if (method instanceof Oft oft) {
      values.rotate(oft.block(), w);
    } else if (method instanceof Boft boft) {
      values.rotate(boft, w);
    } else {
      throw new AssertionError("no definition of " + method.spec());
    }
  }

  private void scale(boolean inputs, double[] w, double[] bias) {
    for (int k = 0; k < w.length; k++) {
      w[k] *= own[inputs ? k % in : k / in];
    }
    for (int o = 0; o < out && !inputs; o++) {
      bias[o] *= own[o];
    }
  }

  private void addShared(Vera vera, double[] w) {
    int rank = vera.rank();
    int widest = config.weights().stream().mapToInt(EncoderWeight::in).max().orElseThrow();
    SplitMix64 a = SplitMix64.seededBy("vera.A:" + vera.seed());
    SplitMix64 b = SplitMix64.seededBy("vera.B:" + vera.seed());
    double[] columns = draws(a, in * rank, Math.sqrt(6.0 / widest));
    double[] rows = draws(b, out * rank, Math.sqrt(6.0 / rank));
    for (int o = 0; o < out; o++) {
      for (int r = 0; r < rank; r++) {
        for (int i = 0; i < in; i++) {
          w[o * in + i] += own[rank + o] * rows[o * rank + r] * own[r] * columns[i * rank + r];
        }
      }
    }
  }

  private static double[] draws(SplitMix64 random, int count, double bound) {
    double[] draws = new double[count];
    for (int k = 0; k < count; k++) {
      draws[k] = random.nextWithin(bound);
    }
    return draws;
  }

  private void setNorms(Dora dora, double[] w) {
    int rank = dora.rank();
    int b = rank * in;
    int m = b + out * rank;
    for (int o = 0; o < out; o++) {
      double square = 0;
      for (int i = 0; i < in; i++) {
        for (int r = 0; r < rank; r++) {
          w[o * in + i] += dora.alpha() / rank * own[b + o * rank + r] * own[r * in + i];
        }
        square += w[o * in + i] * w[o * in + i];
      }
      for (int i = 0; i < in; i++) {
        w[o * in + i] *= own[m + o] / Math.sqrt(square);
      }
    }
  }

  private void reflect(int rank, double[] w) {
    for (int k = 0; k < rank; k++) {
      double square = 0;
      for (int i = 0; i < in; i++) {
        square += (double) own[i * rank + k] * own[i * rank + k];
      }
      for (int o = 0; o < out; o++) {
        double dot = 0;
        for (int i = 0; i < in; i++) {
          dot += w[o * in + i] * own[i * rank + k];
        }
        for (int i = 0; i < in; i++) {
          w[o * in + i] -= 2 * dot / square * own[i * rank + k];
        }
      }
    }
  }

  private void rotate(int block, double[] w) {
    int perBlock = block * (block - 1) / 2;
    double[] q = new double[in * in];
    for (int k = 0; k < in / block; k++) {
      double[] x = new double[block * block];
      int next = k * perBlock;
      for (int i = 0; i < block; i++) {
        for (int j = i + 1; j < block; j++) {
          x[i * block + j] = own[next];
          x[j * block + i] = -own[next++];
        }
      }
      place(cayley(x, block), block, k, q);
    }
    multiply(w, transposed(q));
  }

  /** W' = diag(s) W (P_m D_m P_mᵀ ... P_1 D_1 P_1ᵀ)ᵀ with PEFT's permutations. */
  private void rotate(Boft boft, double[] w) {
    int block = boft.block();
    int size = boft.factors() * in * block;
    double[] q = identity();
    for (int factor = 0; factor < boft.factors(); factor++) {
      double[] d = new double[in * in];
      for (int k = 0; k < in / block; k++) {
        double[] x = new double[block * block];
        int at = (factor * in / block + k) * block * block;
        for (int i = 0; i < block; i++) {
          for (int j = 0; j < block; j++) {
            x[i * block + j] = 0.5 * own[at + i * block + j] - 0.5 * own[at + j * block + i];
          }
        }
        place(cayley(x, block), block, k, d);
      }
      // An input in the first half of a group of 2^factor blocks is in the first half of a block.
      double[] p = new double[in * in];
      int group = block << factor;
      for (int i = 0; i < in; i++) {
        int inHalf = i % (group / 2);
        int second = i % group / (group / 2) * (block / 2);
        int to = i / group * group + inHalf / (block / 2) * block + second + inHalf % (block / 2);
        p[i * in + (factor == 0 ? i : to)] = 1;
      }
      double[] next = p.clone();
      multiply(next, d);
      multiply(next, transposed(p));
      multiply(next, q);
      q = next;
    }
    multiply(w, transposed(q));
    for (int k = 0; k < w.length; k++) {
      w[k] *= own[size + k / in];
    }
  }

  private double[] identity() {
    double[] q = new double[in * in];
    for (int i = 0; i < in; i++) {
      q[i * in + i] = 1;
    }
    return q;
  }

  private double[] transposed(double[] q) {
    double[] t = new double[in * in];
    for (int k = 0; k < t.length; k++) {
      t[k % in * in + k / in] = q[k];
    }
    return t;
  }

  /** a = a b, with b [in, in]. */
  private void multiply(double[] a, double[] b) {
    for (int row = 0; row < a.length; row += in) {
      double[] old = Arrays.copyOfRange(a, row, row + in);
      for (int j = 0; j < in; j++) {
        double sum = 0;
        for (int k = 0; k < in; k++) {
          sum += old[k] * b[k * in + j];
        }
        a[row + j] = sum;
      }
    }
  }

  private void place(double[] r, int block, int k, double[] q) {
    for (int i = 0; i < block; i++) {
      for (int j = 0; j < block; j++) {
        q[(k * block + i) * in + k * block + j] = r[i * block + j];
      }
    }
  }

  /** (I − X) (I + X)⁻¹ as the series I − 2X + 2X² − 2X³ ..., which converges for a small X. */
  private static double[] cayley(double[] x, int n) {
    double[] sum = new double[n * n];
    double[] power = new double[n * n];
    for (int i = 0; i < n; i++) {
      sum[i * n + i] = 1;
      power[i * n + i] = 2;
    }
    for (int term = 1; term < 2000; term++) {
      double[] next = new double[n * n];
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          for (int k = 0; k < n; k++) {
            next[i * n + j] -= power[i * n + k] * x[k * n + j];
          }
        }
      }
      power = next;
      double largest = 0;
      for (int k = 0; k < sum.length; k++) {
        sum[k] += power[k];
        largest = Math.max(largest, Math.abs(power[k]));
      }
      if (largest < 1e-18) {
        return sum;
      }
    }
    throw new AssertionError("the series does not converge");
  }
}
