package io.millrace.svft.export;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Computes what Hugging Face PEFT computes from an adapter's directory: the merged weights, in
 * float64, by the formulas that its documentation has for each method. It uses the directory's
 * files alone, and of Millrace only the reader of safetensors.
 */
public final class PeftDirectory {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String WRAPPED = "base_model.model.";

  private final Path directory;
  private final JsonNode config;
  private final Safetensors file;

  public PeftDirectory(Path directory) throws IOException {
    this.directory = directory;
    this.config = JSON.readTree(directory.resolve("adapter_config.json").toFile());
    this.file = Safetensors.open(directory.resolve("adapter_model.safetensors"));
  }

  public JsonNode config() {
    return config;
  }

  /** The names of the tensors. */
  public Set<String> names() {
    return new TreeSet<>(file.names());
  }

  /** Whether the adapter is one of a sequence-classification model. */
  boolean classifies() {
    return config.path("task_type").asText().equals("SEQ_CLS");
  }

  /**
   * The changed tensors of the encoder, under its own names.
   *
   * @param base the encoder's tensors
   */
  public Map<String, double[]> merged(Safetensors base) {
    Map<String, double[]> merged = new LinkedHashMap<>();
    for (JsonNode target : config.path("target_modules")) {
      String name = target.asText();
      String own = classifies() ? name.substring(name.indexOf('.') + 1) : name;
      if (config.path("peft_type").asText().equals("LN_TUNING")) {
        merged.put(own + ".weight", tensor(name, ".ln_tuning_layers.weight"));
        merged.put(own + ".bias", tensor(name, ".ln_tuning_layers.bias"));
      } else {
        long[] shape = base.shape(own + ".weight");
        double[] w = wide(base.floats(own + ".weight"));
        double[] bias = wide(base.floats(own + ".bias"));
        merged.put(own + ".weight", merged(name, w, bias, (int) shape[0], (int) shape[1]));
        merged.put(own + ".bias", bias);
      }
    }
    return merged;
  }

  private double[] merged(String name, double[] w, double[] bias, int out, int in) {
    return switch (config.path("peft_type").asText()) {
      case "LORA" -> lora(name, w, out, in);
      case "VERA" -> vera(name, w, out, in);
      case "HRA" -> hra(name, w, out, in);
      case "IA3" -> ia3(name, w, bias, out, in);
      case "OFT" -> {
        int block = config.path("oft_block_size").asInt();
        double[] packed = tensor(name, ".oft_R.weight", in / block, block * (block - 1) / 2);
        yield rotated(w, out, in, block, skew(packed, in, block));
      }
      case "BOFT" -> {
        // What is exported has one factor, which takes no permutation.
        int block = config.path("boft_block_size").asInt();
        if (config.path("boft_n_butterfly_factor").asInt() != 1) {
          throw new AssertionError(config);
        }
        double[] a = tensor(name, ".boft_R", 1, in / block, block, block);
        double[] rotated = rotated(w, out, in, block, halved(a, block));
        double[] s = tensor(name, ".boft_s", out, 1);
        for (int k = 0; k < rotated.length; k++) {
          rotated[k] *= s[k / in];
        }
        yield rotated;
      }
      default -> throw new AssertionError(config);
    };
  }

  private double[] lora(String name, double[] w, int out, int in) {
    int rank = config.path("rank_pattern").path(name).asInt(config.path("r").asInt());
    double alpha =
        config.path("alpha_pattern").path(name).asDouble(config.get("lora_alpha").asDouble());
    boolean root = config.path("use_rslora").asBoolean();
    double c = alpha / (root ? Math.sqrt(rank) : rank);
    double[] a = tensor(name, ".lora_A.weight", rank, in);
    double[] b = tensor(name, ".lora_B.weight", out, rank);
    double[] sum = w.clone();
    for (int k = 0; k < sum.length; k++) {
      for (int r = 0; r < rank; r++) {
        sum[k] += c * b[k / in * rank + r] * a[r * in + k % in];
      }
    }
    if (config.path("use_dora").asBoolean()) {
      double[] m = tensor(name, ".lora_magnitude_vector", out);
      for (int o = 0; o < out; o++) {
        double square = 0;
        for (int i = 0; i < in; i++) {
          square += sum[o * in + i] * sum[o * in + i];
        }
        for (int i = 0; i < in; i++) {
          sum[o * in + i] *= m[o] / Math.sqrt(square);
        }
      }
    }
    return sum;
  }

  private double[] vera(String name, double[] w, int out, int in) {
    int rank = config.path("r").asInt();
    int wide = (int) file.shape("base_model.vera_A")[1];
    double[] a = wide(file.floats("base_model.vera_A"));
    double[] b = wide(file.floats("base_model.vera_B"));
    double[] d = tensor(name, ".vera_lambda_d", rank);
    double[] l = tensor(name, ".vera_lambda_b", out);
    double[] sum = w.clone();
    for (int k = 0; k < sum.length; k++) {
      int o = k / in;
      for (int r = 0; r < rank; r++) {
        sum[k] += l[o] * b[o * rank + r] * d[r] * a[r * wide + k % in];
      }
    }
    return sum;
  }

  private double[] hra(String name, double[] w, int out, int in) {
    int rank = config.path("r").asInt();
    double[] u = tensor(name, ".hra_u", in, rank);
    double[] reflected = w.clone();
    for (int r = 0; r < rank; r++) {
      double square = 0;
      for (int i = 0; i < in; i++) {
        square += u[i * rank + r] * u[i * rank + r];
      }
      for (int o = 0; o < out; o++) {
        double dot = 0;
        for (int i = 0; i < in; i++) {
          dot += reflected[o * in + i] * u[i * rank + r];
        }
        for (int i = 0; i < in; i++) {
          reflected[o * in + i] -= 2 * dot / square * u[i * rank + r];
        }
      }
    }
    return reflected;
  }

  private double[] ia3(String name, double[] w, double[] bias, int out, int in) {
    boolean inputs = false;
    for (JsonNode module : config.path("feedforward_modules")) {
      inputs |= module.asText().equals(name);
    }
    double[] l = inputs ? tensor(name, ".ia3_l", 1, in) : tensor(name, ".ia3_l", out, 1);
    double[] scaled = w.clone();
    for (int k = 0; k < scaled.length; k++) {
      scaled[k] *= l[inputs ? k % in : k / in];
    }
    for (int o = 0; o < out && !inputs; o++) {
      bias[o] *= l[o];
    }
    return scaled;
  }

  /** The skew-symmetric blocks of the entries above their diagonals. */
  private static double[] skew(double[] packed, int in, int block) {
    double[] skew = new double[in * block];
    int next = 0;
    for (int at = 0; at < skew.length; at += block * block) {
      for (int i = 0; i < block; i++) {
        for (int j = i + 1; j < block; j++) {
          skew[at + i * block + j] = packed[next];
          skew[at + j * block + i] = -packed[next++];
        }
      }
    }
    return skew;
  }

  private static double[] halved(double[] a, int block) {
    double[] skew = new double[a.length];
    for (int k = 0; k < a.length; k++) {
      int inBlock = k % (block * block);
      int mirrored = k - inBlock + inBlock % block * block + inBlock / block;
      skew[k] = 0.5 * (a[k] - a[mirrored]);
    }
    return skew;
  }

  /** W Rᵀ for R = (I − X) (I + X)⁻¹ = 2 (I + X)⁻¹ − I of each block X. */
  private static double[] rotated(double[] w, int out, int in, int block, double[] skew) {
    double[] rotated = new double[w.length];
    for (int from = 0; from < in; from += block) {
      double[][] system = new double[block][2 * block];
      for (int i = 0; i < block; i++) {
        for (int j = 0; j < block; j++) {
          system[i][j] = skew[(from + i) * block + j] + (i == j ? 1 : 0);
        }
        system[i][block + i] = 2;
      }
      solve(system);
      for (int o = 0; o < out; o++) {
        for (int i = 0; i < block; i++) {
          double sum = -w[o * in + from + i];
          for (int j = 0; j < block; j++) {
            sum += system[i][block + j] * w[o * in + from + j];
          }
          rotated[o * in + from + i] = sum;
        }
      }
    }
    return rotated;
  }

  /** Gauss and Jordan's method with pivots, on [A | B]: leaves [I | A⁻¹ B]. */
  private static void solve(double[][] system) {
    for (int k = 0; k < system.length; k++) {
      int pivot = k;
      for (int i = k + 1; i < system.length; i++) {
        pivot = Math.abs(system[i][k]) > Math.abs(system[pivot][k]) ? i : pivot;
      }
      double[] row = system[pivot];
      system[pivot] = system[k];
      system[k] = row;
      double head = row[k];
      for (int j = 0; j < row.length; j++) {
        row[j] /= head;
      }
      for (int i = 0; i < system.length; i++) {
        double factor = system[i][k];
        for (int j = 0; j < row.length && i != k; j++) {
          system[i][j] -= factor * row[j];
        }
      }
    }
  }

  private double[] tensor(String module, String suffix, long... shape) {
    String name = WRAPPED + module + suffix;
    if (shape.length > 0 && !Arrays.equals(file.shape(name), shape)) {
      throw new AssertionError(name + ": " + Arrays.toString(file.shape(name)));
    }
    return wide(file.floats(name));
  }

  private static double[] wide(float[] values) {
    double[] wide = new double[values.length];
    for (int k = 0; k < wide.length; k++) {
      wide[k] = values[k];
    }
    return wide;
  }

  /**
   * Writes the model that PEFT computes with as a directory that {@link ExportedModel} reads.
   *
   * @param source the base model's Hugging Face directory
   * @param target an empty directory
   */
  void apply(Path source, Path target) throws IOException {
    Safetensors base = Safetensors.open(source.resolve("model.safetensors"));
    Map<String, double[]> merged = merged(base);
    ObjectNode model = (ObjectNode) JSON.readTree(source.resolve("config.json").toFile());
    String prefix = classifies() ? model.path("model_type").asText() + "." : "";
    List<Safetensors.AnyTensor> tensors = new ArrayList<>();
    for (String name : base.names()) {
      double[] own = merged.getOrDefault(name, wide(base.floats(name)));
      tensors.add(new Safetensors.Tensor(prefix + name, base.shape(name), narrow(own)));
    }
    model.putArray("architectures").add(classifies() ? "AnyForSequenceClassification" : "AnyModel");
    if (!model.has("pad_token_id")) {
      model.put("pad_token_id", 0);
    }
    ObjectNode labels = model.putObject("id2label");
    for (JsonNode label :
        JSON.readTree(directory.resolve("millrace.json").toFile()).path("labels")) {
      labels.set("" + labels.size(), label);
    }
    for (JsonNode saved : config.path("modules_to_save")) {
      file.names().stream()
          .filter(name -> name.startsWith(WRAPPED + saved.asText() + "."))
          .forEach(
              name -> {
                String own = name.substring(WRAPPED.length());
                tensors.add(new Safetensors.Tensor(own, file.shape(name), file.floats(name)));
              });
    }
    JSON.writeValue(target.resolve("config.json").toFile(), model);
    write(target.resolve("model.safetensors"), tensors);
    Files.copy(directory.resolve("tokenizer.json"), target.resolve("tokenizer.json"));
    if (!classifies()) {
      Safetensors head = Safetensors.open(directory.resolve("head.safetensors"));
      Files.copy(directory.resolve("head.safetensors"), target.resolve("head.safetensors"));
      Files.createDirectory(target.resolve("2_Dense"));
      write(
          target.resolve("2_Dense/model.safetensors"),
          List.of(
              new Safetensors.StoredTensor("linear.weight", head, "weight"),
              new Safetensors.StoredTensor("linear.bias", head, "bias")));
    }
  }

  private static void write(Path path, List<? extends Safetensors.AnyTensor> tensors)
      throws IOException {
    Files.write(path, Safetensors.toBytes(Map.of(), List.copyOf(tensors)));
  }

  private static float[] narrow(double[] values) {
    float[] narrow = new float[values.length];
    for (int k = 0; k < narrow.length; k++) {
      narrow[k] = (float) values[k];
    }
    return narrow;
  }
}
