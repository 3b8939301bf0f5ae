package io.millrace.svft.export;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Computes what Hugging Face transformers computes from an exported directory, in float64, one text
 * at a time. It uses the directory's files and the names of transformers, and of Millrace only the
 * reader of safetensors.
 */
final class ExportedModel implements AutoCloseable {
  private final Path directory;
  private final JsonNode config;
  private final String family;
  private final boolean distil;
  private final boolean classifies;
  private final int hidden;
  private final HuggingFaceTokenizer tokenizer;
  private final Map<Path, Safetensors> files = new HashMap<>();
  private final Map<String, float[]> read = new HashMap<>();

  ExportedModel(Path directory) throws IOException {
    this.directory = directory;
    this.config = new ObjectMapper().readTree(directory.resolve("config.json").toFile());
    this.family = config.path("model_type").asText();
    this.distil = family.equals("distilbert");
    this.classifies =
        config.path("architectures").path(0).asText().endsWith("ForSequenceClassification");
    this.hidden = config.path(distil ? "dim" : "hidden_size").asInt();
    this.tokenizer = HuggingFaceTokenizer.newInstance(directory.resolve("tokenizer.json"));
  }

  /** Token ids from the directory's tokenizer.json. */
  long[] tokenize(String text) {
    return tokenizer.encode(text).getIds();
  }

  /** The label of the largest logit, from id2label. */
  String label(double[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return config.path("id2label").path("" + best).asText();
  }

  double[] logits(String text) throws IOException {
    double[][] tokens = encode(tokenize(text));
    if (!classifies) {
      double[] mean = new double[hidden];
      for (double[] token : tokens) {
        for (int i = 0; i < hidden; i++) {
          mean[i] += token[i] / tokens.length;
        }
      }
      double[] logits = linear("head.safetensors", "", mean);
      assertSame(logits, linear("2_Dense/model.safetensors", "linear.", mean));
      return logits;
    }
    return switch (family) {
      case "bert" -> model("classifier.", tanh(model("bert.pooler.dense.", tokens[0])));
      case "roberta" -> model("classifier.out_proj.", tanh(model("classifier.dense.", tokens[0])));
      case "distilbert" -> model("classifier.", relu(model("pre_classifier.", tokens[0])));
      default -> throw new AssertionError(family);
    };
  }

  private static void assertSame(double[] one, double[] other) {
    assertThat(one).containsExactly(other);
  }

  private double[][] encode(long[] ids) throws IOException {
    float[] words = encoder("embeddings.word_embeddings.weight");
    float[] positions = encoder("embeddings.position_embeddings.weight");
    float[] types = distil ? new float[hidden] : encoder("embeddings.token_type_embeddings.weight");
    double[][] x = new double[ids.length][hidden];
    int padding = config.path("pad_token_id").asInt();
    int position = family.equals("roberta") ? padding : -1;
    for (int t = 0; t < ids.length; t++) {
      boolean counted = !family.equals("roberta") || ids[t] != padding;
      position += counted ? 1 : 0;
      for (int i = 0; i < hidden; i++) {
        double place = positions[(counted ? position : padding) * hidden + i];
        x[t][i] = words[(int) ids[t] * hidden + i] + place + types[i];
      }
    }
    x = norm(x, "embeddings.LayerNorm.");
    int layers = config.path(distil ? "n_layers" : "num_hidden_layers").asInt();
    for (int layer = 0; layer < layers; layer++) {
      x = layer(x, (distil ? "transformer.layer." : "encoder.layer.") + layer + ".");
    }
    return x;
  }

  private double[][] layer(double[][] x, String layer) throws IOException {
    String[] names =
        distil
            ? new String[] {
              "attention.q_lin.", "attention.k_lin.", "attention.v_lin.", "attention.out_lin.",
              "sa_layer_norm.", "ffn.lin1.", "ffn.lin2.", "output_layer_norm."
            }
            : new String[] {
              "attention.self.query.", "attention.self.key.", "attention.self.value.",
              "attention.output.dense.", "attention.output.LayerNorm.", "intermediate.dense.",
              "output.dense.", "output.LayerNorm."
            };
    double[][] context =
        attention(each(layer + names[0], x), each(layer + names[1], x), each(layer + names[2], x));
    x = norm(sum(x, each(layer + names[3], context)), layer + names[4]);
    double[][] inner = each(layer + names[5], x);
    for (double[] token : inner) {
      for (int i = 0; i < token.length; i++) {
        token[i] *= 0.5 * (1 + erf(token[i] / Math.sqrt(2)));
      }
    }
    return norm(sum(x, each(layer + names[6], inner)), layer + names[7]);
  }

  private double[][] attention(double[][] q, double[][] k, double[][] v) {
    int heads = config.path(distil ? "n_heads" : "num_attention_heads").asInt();
    int width = hidden / heads;
    double[][] context = new double[q.length][hidden];
    for (int from = 0; from < hidden; from += width) {
      for (int t = 0; t < q.length; t++) {
        double[] weights = new double[k.length];
        double total = 0;
        for (int other = 0; other < k.length; other++) {
          double dot = 0;
          for (int i = from; i < from + width; i++) {
            dot += q[t][i] * k[other][i];
          }
          weights[other] = Math.exp(dot / Math.sqrt(width));
          total += weights[other];
        }
        for (int other = 0; other < k.length; other++) {
          for (int i = from; i < from + width; i++) {
            context[t][i] += weights[other] / total * v[other][i];
          }
        }
      }
    }
    return context;
  }

  private double[][] norm(double[][] x, String module) throws IOException {
    float[] weight = encoder(module + "weight");
    float[] bias = encoder(module + "bias");
    double epsilon = distil ? 1e-12 : config.path("layer_norm_eps").asDouble();
    double[][] y = new double[x.length][hidden];
    for (int t = 0; t < x.length; t++) {
      double mean = 0;
      double variance = 0;
      for (double value : x[t]) {
        mean += value / hidden;
      }
      for (double value : x[t]) {
        variance += (value - mean) * (value - mean) / hidden;
      }
      for (int i = 0; i < hidden; i++) {
        y[t][i] = (x[t][i] - mean) / Math.sqrt(variance + epsilon) * weight[i] + bias[i];
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

  private double[][] each(String module, double[][] x) throws IOException {
    double[][] y = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      y[t] = model(classifies ? family + "." + module : module, x[t]);
    }
    return y;
  }

  private static double[] tanh(double[] x) {
    return Arrays.stream(x).map(Math::tanh).toArray();
  }

  private static double[] relu(double[] x) {
    return Arrays.stream(x).map(value -> Math.max(0, value)).toArray();
  }

  /** The error function by its series with positive terms (Abramowitz and Stegun, 7.1.6). */
  private static double erf(double x) {
    double term = 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * x;
    double sum = 0;
    for (int n = 1; n < 400 && Math.abs(term) > 1e-18; n++) {
      sum += term;
      term *= 2 * x * x / (2 * n + 1);
    }
    return Math.abs(x) > 6 ? Math.signum(x) : sum;
  }

  private float[] encoder(String name) throws IOException {
    return tensor("model.safetensors", classifies ? family + "." + name : name);
  }

  private double[] model(String module, double[] x) throws IOException {
    return linear("model.safetensors", module, x);
  }

  private double[] linear(String file, String module, double[] x) throws IOException {
    float[] weight = tensor(file, module + "weight");
    float[] bias = tensor(file, module + "bias");
    double[] y = new double[bias.length];
    for (int o = 0; o < y.length; o++) {
      double sum = bias[o];
      for (int i = 0; i < x.length; i++) {
        sum += weight[o * x.length + i] * x[i];
      }
      y[o] = sum;
    }
    return y;
  }

  private float[] tensor(String file, String name) throws IOException {
    float[] values = read.get(file + "/" + name);
    if (values == null) {
      Path path = directory.resolve(file);
      if (!files.containsKey(path)) {
        files.put(path, Safetensors.open(path));
      }
      values = files.get(path).floats(name);
      read.put(file + "/" + name, values);
    }
    return values;
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
