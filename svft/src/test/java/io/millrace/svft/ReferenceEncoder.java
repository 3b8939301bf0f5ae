package io.millrace.svft;

import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.FullFineTuning;
import io.millrace.svft.method.Lora;
import io.millrace.svft.method.LoraXs;
import io.millrace.svft.method.Pissa;
import io.millrace.svft.method.Positions;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The encoder computed from its definition, in float64, sequence by sequence, with the W' of every
 * method as a dense matrix. Tests compare the packed, factored float32 pass with it.
 */
public final class ReferenceEncoder {
  private final EncoderConfig config;
  private final List<EncoderWeight> linears;
  private final Safetensors model;
  private final Safetensors basis;
  private final Map<String, float[]> read = new HashMap<>();

  ReferenceEncoder(ModelFiles files) {
    this.config = files.config();
    this.linears = config.weights();
    try {
      this.model = Safetensors.open(files.model());
      this.basis = Safetensors.open(files.basis());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A model from the files in the store. */
  public static ReferenceEncoder of(BaseModel base) {
    return new ReferenceEncoder(
        new ModelFiles(base.name(), base.directory(), base.config(), "", "", ""));
  }

  /**
   * What a method may change.
   *
   * @param linears W [out, in] of every linear weight
   * @param biases [out] of every linear weight
   * @param norms weight and bias [hidden] of the layer normalisations, by their names
   */
  public record Weights(
      List<double[]> linears, List<double[]> biases, Map<String, double[]> norms) {}

  /** Those of the base model. */
  public Weights weights() {
    List<double[]> linears = new ArrayList<>();
    List<double[]> biases = new ArrayList<>();
    for (EncoderWeight w : config.weights()) {
      linears.add(doubles(tensor(w.name() + ".weight")));
      biases.add(doubles(tensor(w.name() + ".bias")));
    }
    Map<String, double[]> norms = new HashMap<>();
    for (String norm : config.norms()) {
      for (String tensor : List.of(norm + ".weight", norm + ".bias")) {
        norms.put(tensor, doubles(tensor(tensor)));
      }
    }
    return new Weights(linears, biases, norms);
  }

  /**
   * Those of an adapter. W' [out, in] is W + U M Vᵀ; U (diag(Σ) + M) Vᵀ if the basis is truncated;
   * W + c B A; U diag(Σ) Vᵀ without its leading directions + c B A; the trained W itself; for the
   * others see {@link ReferenceMethods}.
   *
   * @param positions as {@link AdapterLayout#positions} returns them
   */
  public Weights weights(
      AdapterMethod method, AdapterLayout layout, List<Positions> positions, float[] values) {
    Weights weights = weights();
    for (int p = 0; p < layout.parts().size(); p++) {
      AdapterLayout.Part part = layout.parts().get(p);
      float[] own = Arrays.copyOfRange(values, part.offset(), part.offset() + part.size());
      double[] w = weights.linears().get(part.index());
      double[] bias = weights.biases().get(part.index());
      if (method.sparsity().isPresent()) {
        addM(w, part, positions.get(p), own);
      } else if (method instanceof Lora lora) {
        addProduct(w, part.weight(), lora.scale(), own);
      } else if (method instanceof Pissa pissa) {
        EncoderWeight weight = part.weight();
        double scale = pissa.alpha() / pissa.rank();
        addDirections(w, weight, Math.min(pissa.rank(), weight.rank()), -1);
        addProduct(w, weight, scale, own);
      } else if (method instanceof FullFineTuning) {
        weights.linears().set(part.index(), doubles(own));
      } else if (method instanceof LoraXs) {
        addCore(w, part.weight(), own);
      } else {
        ReferenceMethods.change(method, config, part.weight(), own, w, bias);
      }
    }
    for (AdapterLayout.Named norm : layout.norms()) {
      int to = norm.offset() + norm.size();
      weights.norms().put(norm.name(), doubles(Arrays.copyOfRange(values, norm.offset(), to)));
    }
    return weights;
  }

  private void addM(double[] w, AdapterLayout.Part part, Positions positions, float[] m) {
    EncoderWeight weight = part.weight();
    int n = part.n();
    double[] s = new double[n * n];
    for (int k = 0; k < m.length; k++) {
      s[positions.rows()[k] * n + positions.columns()[k]] += m[k];
    }
    if (n < weight.rank()) {
      Arrays.fill(w, 0);
      float[] sigma = tensor(weight.name() + ".S");
      for (int k = 0; k < n; k++) {
        s[k * n + k] += sigma[k];
      }
    }
    float[] u = tensor(weight.name() + ".U");
    float[] vt = tensor(weight.name() + ".Vt");
    for (int o = 0; o < weight.out(); o++) {
      double[] us = new double[n];
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          us[j] += u[o * weight.rank() + i] * s[i * n + j];
        }
      }
      for (int j = 0; j < n; j++) {
        for (int i = 0; i < weight.in(); i++) {
          w[o * weight.in() + i] += us[j] * vt[j * weight.in() + i];
        }
      }
    }
  }

  /** Adds c U_r diag(Σ_r) V_rᵀ. */
  private void addDirections(double[] w, EncoderWeight weight, int r, double c) {
    float[] u = tensor(weight.name() + ".U");
    float[] sigma = tensor(weight.name() + ".S");
    float[] vt = tensor(weight.name() + ".Vt");
    for (int o = 0; o < weight.out(); o++) {
      for (int k = 0; k < r; k++) {
        double scaled = c * u[o * weight.rank() + k] * sigma[k];
        for (int i = 0; i < weight.in(); i++) {
          w[o * weight.in() + i] += scaled * vt[k * weight.in() + i];
        }
      }
    }
  }

  /** Adds U_r diag(Σ_r) R V_rᵀ. */
  private void addCore(double[] w, EncoderWeight weight, float[] core) {
    int r = (int) Math.round(Math.sqrt(core.length));
    float[] u = tensor(weight.name() + ".U");
    float[] sigma = tensor(weight.name() + ".S");
    float[] vt = tensor(weight.name() + ".Vt");
    for (int o = 0; o < weight.out(); o++) {
      for (int k = 0; k < r; k++) {
        for (int j = 0; j < r; j++) {
          double scaled = (double) u[o * weight.rank() + k] * sigma[k] * core[k * r + j];
          for (int i = 0; i < weight.in(); i++) {
            w[o * weight.in() + i] += scaled * vt[j * weight.in() + i];
          }
        }
      }
    }
  }

  /** Adds c B A; own holds A, then B. */
  private static void addProduct(double[] w, EncoderWeight weight, double c, float[] own) {
    int rank = own.length / (weight.in() + weight.out());
    int b = rank * weight.in();
    for (int o = 0; o < weight.out(); o++) {
      for (int r = 0; r < rank; r++) {
        double scaled = c * own[b + o * rank + r];
        for (int i = 0; i < weight.in(); i++) {
          w[o * weight.in() + i] += scaled * own[r * weight.in() + i];
        }
      }
    }
  }

  /**
   * One vector for a sequence, [hidden].
   *
   * @param weights those of the base model, or of an adapter
   */
  public double[] embed(long[] ids, Weights weights) {
    Architecture names = config.architecture();
    int hidden = config.hidden();
    double[][] x = new double[ids.length][hidden];
    float[] words = tensor(names.wordEmbeddings());
    float[] positions = tensor(names.positionEmbeddings());
    float[] types = names.typeEmbeddings().map(this::tensor).orElse(new float[hidden]);
    int counted = 0;
    for (int t = 0; t < ids.length; t++) {
      // RoBERTa: a padding token's position is its id, and it is not counted.
      boolean padding =
          config.architecture() == Architecture.ROBERTA && ids[t] == config.positionOffset() - 1;
      int position = (int) (padding ? ids[t] : config.positionOffset() + counted++) * hidden;
      for (int i = 0; i < hidden; i++) {
        x[t][i] = (double) words[(int) ids[t] * hidden + i] + positions[position + i] + types[i];
      }
    }
    x = norm(x, names.embeddingNorm(), weights);
    for (int layer = 0; layer < config.layers(); layer++) {
      int at = 6 * layer;
      double[][] context =
          attention(linear(x, at, weights), linear(x, at + 1, weights), linear(x, at + 2, weights));
      x = norm(sum(x, linear(context, at + 3, weights)), names.attentionNorm(layer), weights);
      double[][] inner = gelu(linear(x, at + 4, weights));
      x = norm(sum(x, linear(inner, at + 5, weights)), names.outputNorm(layer), weights);
    }
    if (config.pooling() == Pooling.FIRST_TOKEN) {
      return x[0];
    }
    double[] mean = new double[hidden];
    for (double[] token : x) {
      for (int i = 0; i < mean.length; i++) {
        mean[i] += token[i] / x.length;
      }
    }
    return mean;
  }

  private static double[] doubles(float[] values) {
    double[] doubles = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }

  private float[] tensor(String name) {
    return read.computeIfAbsent(
        name, key -> model.has(key) ? model.floats(key) : basis.floats(key));
  }

  private double[][] linear(double[][] x, int index, Weights weights) {
    EncoderWeight weight = linears.get(index);
    double[] w = weights.linears().get(index);
    double[] bias = weights.biases().get(index);
    double[][] y = new double[x.length][weight.out()];
    for (int t = 0; t < x.length; t++) {
      for (int o = 0; o < weight.out(); o++) {
        double sum = bias[o];
        for (int i = 0; i < weight.in(); i++) {
          sum += w[o * weight.in() + i] * x[t][i];
        }
        y[t][o] = sum;
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

  private double[][] norm(double[][] x, String name, Weights weights) {
    double[] weight = weights.norms().get(name + ".weight");
    double[] bias = weights.norms().get(name + ".bias");
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
