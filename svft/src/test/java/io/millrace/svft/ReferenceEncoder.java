package io.millrace.svft;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A BERT encoder in float64, one sequence at a time, with each weight W + U diag(m) Vᵀ written out:
 * what the packed, factored float32 pass is checked against.
 */
final class ReferenceEncoder {
  private final EncoderConfig config;
  private final Safetensors model;
  private final Safetensors basis;
  private final Map<String, float[]> read = new HashMap<>();

  ReferenceEncoder(ModelFiles files) {
    this.config = files.config();
    try {
      this.model = Safetensors.open(files.model());
      this.basis = Safetensors.open(files.basis());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The mean of a sequence's last hidden states, [hidden]. */
  double[] embed(long[] ids, float[] m) {
    double[][] x = new double[ids.length][config.hidden()];
    float[] words = tensor("embeddings.word_embeddings.weight");
    float[] positions = tensor("embeddings.position_embeddings.weight");
    float[] types = tensor("embeddings.token_type_embeddings.weight");
    for (int t = 0; t < ids.length; t++) {
      for (int i = 0; i < config.hidden(); i++) {
        int word = (int) ids[t] * config.hidden() + i;
        x[t][i] = (double) words[word] + positions[t * config.hidden() + i] + types[i];
      }
    }
    x = norm(x, "embeddings.LayerNorm");
    List<AdaptedWeight> weights = config.adaptedWeights();
    for (int layer = 0; layer < config.layers(); layer++) {
      List<AdaptedWeight> w = weights.subList(6 * layer, 6 * layer + 6);
      String prefix = "encoder.layer." + layer + ".";
      double[][] context =
          attention(linear(x, w.get(0), m), linear(x, w.get(1), m), linear(x, w.get(2), m));
      x = norm(sum(x, linear(context, w.get(3), m)), prefix + "attention.output.LayerNorm");
      double[][] inner = gelu(linear(x, w.get(4), m));
      x = norm(sum(x, linear(inner, w.get(5), m)), prefix + "output.LayerNorm");
    }
    double[] mean = new double[config.hidden()];
    for (double[] token : x) {
      for (int i = 0; i < mean.length; i++) {
        mean[i] += token[i] / x.length;
      }
    }
    return mean;
  }

  private float[] tensor(String name) {
    return read.computeIfAbsent(
        name, key -> model.has(key) ? model.floats(key) : basis.floats(key));
  }

  private double[][] linear(double[][] x, AdaptedWeight weight, float[] m) {
    float[] w = tensor(weight.name() + ".weight");
    float[] bias = tensor(weight.name() + ".bias");
    float[] u = tensor(weight.name() + ".U");
    float[] vt = tensor(weight.name() + ".Vt");
    double[][] y = new double[x.length][weight.out()];
    for (int o = 0; o < weight.out(); o++) {
      for (int i = 0; i < weight.in(); i++) {
        double value = w[o * weight.in() + i];
        for (int k = 0; k < weight.rank(); k++) {
          double outer = (double) u[o * weight.rank() + k] * vt[k * weight.in() + i];
          value += outer * m[weight.offset() + k];
        }
        for (int t = 0; t < x.length; t++) {
          y[t][o] += value * x[t][i];
        }
      }
      for (int t = 0; t < x.length; t++) {
        y[t][o] += bias[o];
      }
    }
    return y;
  }

  private double[][] attention(double[][] q, double[][] k, double[][] v) {
    double[][] context = new double[q.length][config.hidden()];
    for (int head = 0; head < config.heads(); head++) {
      int from = head * config.headWidth();
      int to = from + config.headWidth();
      for (int t = 0; t < q.length; t++) {
        double[] scores = new double[k.length];
        double total = 0;
        for (int other = 0; other < k.length; other++) {
          double dot = 0;
          for (int i = from; i < to; i++) {
            dot += q[t][i] * k[other][i];
          }
          scores[other] = Math.exp(dot / Math.sqrt(config.headWidth()));
          total += scores[other];
        }
        for (int other = 0; other < k.length; other++) {
          for (int i = from; i < to; i++) {
            context[t][i] += scores[other] / total * v[other][i];
          }
        }
      }
    }
    return context;
  }

  private double[][] norm(double[][] x, String name) {
    float[] weight = tensor(name + ".weight");
    float[] bias = tensor(name + ".bias");
    double[][] y = new double[x.length][config.hidden()];
    for (int t = 0; t < x.length; t++) {
      double mean = 0;
      double variance = 0;
      for (double value : x[t]) {
        mean += value / config.hidden();
      }
      for (double value : x[t]) {
        variance += (value - mean) * (value - mean) / config.hidden();
      }
      double deviation = Math.sqrt(variance + config.layerNormEps());
      for (int i = 0; i < config.hidden(); i++) {
        y[t][i] = (x[t][i] - mean) / deviation * weight[i] + bias[i];
      }
    }
    return y;
  }

  private static double[][] sum(double[][] a, double[][] b) {
    for (int t = 0; t < b.length; t++) {
      for (int i = 0; i < b[t].length; i++) {
        b[t][i] += a[t][i];
      }
    }
    return b;
  }

  private static double[][] gelu(double[][] x) {
    for (double[] token : x) {
      for (int i = 0; i < token.length; i++) {
        token[i] *= 0.5 * (1 + erf(token[i] / Math.sqrt(2)));
      }
    }
    return x;
  }

  /** erf(x) = 2/√π · exp(-x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n + 1)!!, a sum without cancellation. */
  private static double erf(double x) {
    double term = x;
    double sum = x;
    for (int n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= 2 * x * x / (2 * n + 1);
      sum += term;
    }
    return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
  }
}
