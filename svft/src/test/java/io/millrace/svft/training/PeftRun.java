package io.millrace.svft.training;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.export.HuggingFaceDirectory;
import io.millrace.svft.export.PeftExport;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.Vera;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ConfigFile;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.task.Classification;
import io.millrace.svft.task.Head;
import io.millrace.svft.tensor.BatchLayout;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.Torch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * One run of Hugging Face PEFT in a reference directory, whose model, basis, batches and first head
 * are those of {@link ReferenceRun}.
 *
 * <p>{@code methods.json} has pooling, optimizer, and per run PEFT's config, losses [step] and
 * logits [step][example][class]; {@code methods.safetensors} has per run {@code
 * RUN.start.MODULE.TENSOR}, {@code RUN.grad0.MODULE.TENSOR}, {@code RUN.end.MODULE.TENSOR}: the
 * first values, their first gradient and the last values; {@code RUN.merged.MODULE.weight}, and
 * {@code RUN.head.weight}, {@code RUN.head.bias}, the last head.
 */
final class PeftRun {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path directory;
  private final String name;
  private final JsonNode all;
  private final Safetensors tensors;
  private final EncoderConfig config;

  /**
   * Millrace's results for a run.
   *
   * @param losses [step]
   * @param logits [step][example][class]
   * @param differences for each tensor, the norm of the difference divided by the norm of the
   *     expected values
   */
  record Result(double[] losses, float[][][] logits, Map<String, Double> differences) {}

  private PeftRun(Path directory, String name) throws IOException {
    this.directory = directory;
    this.name = name;
    this.all = JSON.readTree(directory.resolve("methods.json").toFile());
    this.tensors = Safetensors.open(directory.resolve("methods.safetensors"));
    if (!all.path("pooling").asText("").contains("mean")) {
      throw new AssertionError(directory + ": unknown pooling " + all.path("pooling"));
    }
    this.config = new ConfigFile(directory.resolve("config.json")).encoder(Pooling.MEAN);
  }

  /** The runs of a directory, or of the directories in it, with methods that are known here. */
  static List<PeftRun> in(Path root) throws IOException {
    List<Path> directories;
    try (Stream<Path> found = hasRuns(root) ? Stream.of(root) : Files.list(root)) {
      directories = found.filter(PeftRun::hasRuns).sorted().toList();
    }
    List<PeftRun> runs = new ArrayList<>();
    for (Path directory : directories) {
      JsonNode all = JSON.readTree(directory.resolve("methods.json").toFile());
      for (Iterator<String> names = all.path("runs").fieldNames(); names.hasNext(); ) {
        PeftRun run = new PeftRun(directory, names.next());
        if (run.spec().isPresent()) {
          runs.add(run);
        } else {
          System.out.println(run + ": no method like it, so it is left out");
        }
      }
    }
    return runs;
  }

  private static boolean hasRuns(Path directory) {
    return Files.isRegularFile(directory.resolve("methods.json"));
  }

  @Override
  public String toString() {
    return directory.getFileName() + " " + name;
  }

  /** [step]. */
  double[] losses() {
    return JSON.convertValue(run().path("loss"), double[].class);
  }

  /** [step][example][class]. */
  double[][][] logits() {
    return JSON.convertValue(run().path("logits"), double[][][].class);
  }

  private JsonNode run() {
    return all.path("runs").path(name);
  }

  /** The method in Millrace's words; empty if Millrace has none like it. */
  private Optional<String> spec() {
    JsonNode peft = run().path("config");
    String rank = peft.path("r").asText();
    String alpha = ";alpha=" + peft.path("lora_alpha").asText();
    return Optional.ofNullable(
        switch (peft.path("peft_type").asText()) {
          case "LORA" -> {
            if (peft.path("use_dora").asBoolean()) {
              yield "dora:" + rank + alpha;
            }
            if (peft.path("init_lora_weights").asText().equals("pissa")) {
              yield "pissa:" + rank + alpha;
            }
            boolean root = peft.path("use_rslora").asBoolean();
            yield "lora:" + rank + alpha + (root ? ";scaling=root-rank" : "");
          }
          case "VERA" -> "vera:" + rank + ";start=" + peft.path("d_initial").asText();
          case "BOFT" -> {
            String factors = peft.path("boft_n_butterfly_factor").asText();
            yield "boft:" + peft.path("boft_block_size").asText() + ";factors=" + factors;
          }
          case "OFT" -> {
            boolean exact =
                !peft.path("use_cayley_neumann").asBoolean()
                    && !peft.path("coft").asBoolean()
                    && !peft.path("block_share").asBoolean();
            yield exact ? "oft:" + peft.path("oft_block_size").asText() : null;
          }
          case "HRA" -> peft.path("apply_GS").asBoolean() ? null : "hra:" + rank;
          case "IA3" -> "ia3";
          case "LN_TUNING" -> "norms";
          default -> null;
        });
  }

  /** The method, on the weights for which the run has values. */
  private AdapterMethod method() {
    String weights =
        config.weights().stream()
            .filter(weight -> weight.layer() == 0)
            .filter(weight -> starts(weight.name()))
            .map(weight -> weight.role().id())
            .collect(Collectors.joining("+"));
    String roles = weights.isEmpty() ? "" : ";weights=" + weights;
    AdapterMethod method = AdapterMethod.parse(spec().orElseThrow() + roles);
    return method instanceof Vera vera ? new GivenVera(vera, frozen("A"), frozen("B")) : method;
  }

  /** A factor that PEFT drew by a generator of its own; all weights share it. */
  private Safetensors.Tensor frozen(String factor) {
    String tensor =
        tensors.names().stream()
            .filter(each -> each.startsWith(name + ".frozen."))
            .filter(each -> each.contains("vera_" + factor))
            .findFirst()
            .orElseThrow();
    return new Safetensors.Tensor(tensor, tensors.shape(tensor), tensors.floats(tensor));
  }

  private boolean starts(String module) {
    String prefix = name + ".start." + module + ".";
    return tensors.names().stream().anyMatch(tensor -> tensor.startsWith(prefix));
  }

  /** Trains through all batches. */
  Result result() throws IOException {
    AdapterMethod method = method();
    AdapterLayout layout = AdapterLayout.of(config, method);
    ModelFiles files = new ModelFiles(directory.toString(), directory, config, "", "", "");
    List<Double> losses = new ArrayList<>();
    List<float[][]> logits = new ArrayList<>();
    Map<String, Double> differences = new LinkedHashMap<>();
    try (BaseModel base =
            BaseModel.loadWithoutTokenizer(files, Torch.device("cpu"), method.factored());
        Trainer trainer = new Trainer(base, settings(method), 2)) {
      TrainingState state = start(method, layout);
      for (JsonNode batch : JSON.readTree(directory.resolve("batches.json").toFile())) {
        List<TrainingExample> examples = new ArrayList<>();
        List<long[]> ids = new ArrayList<>();
        for (JsonNode example : batch) {
          float weight = (float) example.path("weight").asDouble(1);
          String label = Integer.toString(example.get("label").intValue());
          examples.add(new TrainingExample("ids", label, weight));
          ids.add(JSON.convertValue(example.get("ids"), long[].class));
        }
        Trainer.Gradients gradients =
            trainer.gradients(state, examples, ids.toArray(long[][]::new));
        if (losses.isEmpty()) {
          compare(layout, ".grad0.", gradients.values(), differences);
        }
        losses.add(gradients.loss());
        logits.add(gradients.logits());
        state = trainer.update(state, gradients, examples);
      }
      compare(layout, ".end.", state.adapter().values(), differences);
      state
          .toAdapter(base, "d", 1, "")
          .merge(base)
          .forEach(
              (tensor, values) -> {
                // PEFT exchanges a normalisation with the trained one and keeps both.
                String exchanged =
                    tensor.replaceFirst("\\.(weight|bias)$", ".ln_tuning_layers.default.$1");
                String own = name + ".merged." + tensor;
                String expected = tensors.has(own) ? own : name + ".merged." + exchanged;
                if (tensors.has(expected)) {
                  compare(expected, values, differences);
                }
              });
      float[] head = state.head().values();
      compare(name + ".head.weight", Head.weights(head, config.hidden()), differences);
      compare(name + ".head.bias", Head.biases(head, config.hidden()), differences);
    }
    return new Result(
        losses.stream().mapToDouble(Double::doubleValue).toArray(),
        logits.toArray(float[][][]::new),
        differences);
  }

  /**
   * Exports the run's last values and last head in PEFT's format.
   *
   * @param root receives a copy of the model, and the export
   * @return the directory of the export
   */
  Path exported(Path root) throws IOException {
    Path model = Files.createDirectory(root.resolve("model"));
    for (String file : List.of("config.json", "model.safetensors", "basis.safetensors")) {
      Files.copy(directory.resolve(file), model.resolve(file));
    }
    JSON.writeValue(
        model.resolve("tokenizer.json").toFile(),
        HuggingFaceDirectory.of(config.architecture()).tokenizer);
    AdapterMethod method = method();
    AdapterLayout layout = AdapterLayout.of(config, method);
    float[] values = new float[layout.size()];
    for (AdapterLayout.Named tensor : layout.tensors()) {
      float[] own = tensors.floats(peftName(".end.", tensor));
      System.arraycopy(own, 0, values, tensor.offset(), own.length);
    }
    float[] head =
        Head.join(
            tensors.floats(name + ".head.weight"),
            tensors.floats(name + ".head.bias"),
            config.hidden());
    List<String> labels =
        IntStream.range(0, head.length / (config.hidden() + 1)).mapToObj(i -> "l" + i).toList();
    Adapter adapter =
        new Adapter(
            "d", 1, "", "tiny", "", "", method, config, labels, new int[0], values, head, 6, 48);
    ModelFiles files = new ModelFiles("tiny", model, config, "", "", "");
    Path export = Files.createDirectory(root.resolve("export"));
    try (BaseModel base =
        BaseModel.loadWithoutTokenizer(files, Torch.device("cpu"), method.factored())) {
      PeftExport.write(base, adapter, export);
    }
    return export;
  }

  /** The tensors of the base model. */
  Safetensors base() throws IOException {
    return Safetensors.open(directory.resolve("model.safetensors"));
  }

  /**
   * The names in PEFT's file of the run: of the values that it trained, without the adapter's name,
   * and of VeRA's factors, which PEFT writes once.
   */
  Set<String> fileNames() {
    Set<String> names = new TreeSet<>();
    for (String tensor : tensors.names()) {
      String rest = tensor.substring(name.length() + 1);
      if (tensor.startsWith(name + ".end.")) {
        String plain = rest.substring("end.".length()).replace(".default", "");
        names.add("base_model.model." + plain.replace("vector.weight", "vector"));
      } else if (tensor.startsWith(name + ".frozen.")) {
        names.add("base_model." + rest.replaceFirst(".*\\.(vera_[AB])\\.default", "$1"));
      }
    }
    return names;
  }

  /** The weights and normalisations that PEFT merged, under the names of the base model. */
  Map<String, float[]> merged() {
    Map<String, float[]> merged = new LinkedHashMap<>();
    String prefix = name + ".merged.";
    for (String tensor : tensors.names()) {
      if (tensor.startsWith(prefix) && !tensor.contains(".base_layer.")) {
        String plain = tensor.substring(prefix.length()).replace(".ln_tuning_layers.default", "");
        merged.put(plain, tensors.floats(tensor));
      }
    }
    return merged;
  }

  private TrainingSettings settings(AdapterMethod method) {
    JsonNode optimizer = all.path("optimizer");
    double rate = optimizer.get("lr").doubleValue();
    return new TrainingSettings(
        new Classification(),
        method,
        rate,
        rate,
        optimizer.get("beta1").doubleValue(),
        optimizer.get("beta2").doubleValue(),
        optimizer.get("eps").doubleValue(),
        optimizer.get("weightDecay").doubleValue(),
        0,
        0,
        0,
        0,
        1,
        BatchLayout.SEGMENTS,
        Moments.FLOAT32,
        0,
        0);
  }

  /** The values that the run started from, and the head with all classes. */
  private TrainingState start(AdapterMethod method, AdapterLayout layout) throws IOException {
    float[] values = new float[layout.size()];
    for (AdapterLayout.Named tensor : layout.tensors()) {
      float[] own = tensors.floats(peftName(".start.", tensor));
      System.arraycopy(own, 0, values, tensor.offset(), own.length);
    }
    Safetensors first = Safetensors.open(directory.resolve("expected.safetensors"));
    int classes = (int) first.shape("head.weight")[0];
    TrainingState state =
        TrainingState.initial(method, new int[0], new float[0], values)
            .withLabels(
                new Classification(),
                IntStream.range(0, classes).mapToObj(Integer::toString).toList(),
                config.hidden());
    float[] head =
        Head.join(
            first.floats("head.weight", classes, config.hidden()),
            first.floats("head.bias", classes),
            config.hidden());
    System.arraycopy(head, 0, state.head().values(), 0, head.length);
    return state;
  }

  /** PEFT writes the adapter's name, "default", after the tensor's, or after that of its module. */
  private String peftName(String kind, AdapterLayout.Named tensor) {
    String plain = tensor.name().replaceFirst("\\.(weight|bias)$", "");
    String last = tensor.name().substring(plain.length());
    String peft = name + kind + plain + ".default";
    String normed = name + kind + plain + ".ln_tuning_layers.default" + last;
    return Stream.of(peft, normed, peft + ".weight").filter(tensors::has).findFirst().orElseThrow();
  }

  private void compare(
      AdapterLayout layout, String kind, float[] values, Map<String, Double> differences) {
    for (AdapterLayout.Named tensor : layout.tensors()) {
      float[] own = Arrays.copyOfRange(values, tensor.offset(), tensor.offset() + tensor.size());
      compare(peftName(kind, tensor), own, differences);
    }
  }

  private void compare(String tensor, float[] actual, Map<String, Double> differences) {
    float[] wanted = tensors.floats(tensor);
    if (wanted.length != actual.length) {
      throw new AssertionError(
          "%s: %s has %d values, expected %d"
              .formatted(this, tensor, actual.length, wanted.length));
    }
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < wanted.length; i++) {
      difference += Math.pow((double) actual[i] - wanted[i], 2);
      norm += Math.pow(wanted[i], 2);
    }
    // If all expected values are zero, all actual values must be zero.
    differences.put(tensor, norm == 0 ? difference : Math.sqrt(difference / norm));
  }
}
