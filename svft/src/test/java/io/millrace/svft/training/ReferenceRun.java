package io.millrace.svft.training;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.BandedPattern;
import io.millrace.svft.method.Pattern;
import io.millrace.svft.method.PlainPattern;
import io.millrace.svft.method.Positions;
import io.millrace.svft.method.RandomPattern;
import io.millrace.svft.method.Svft;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ConfigFile;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.model.WeightRole;
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
import java.util.Comparator;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * One run of a reference directory: its model, basis and batches, and the expected results.
 *
 * <p>{@code expected.json} has pooling, optimizer, and per run losses [step] and logits
 * [step][example][class]; {@code expected.safetensors} has the first {@code head.weight} and {@code
 * head.bias}, and per run {@code RUN.index.WEIGHT} [2, size], the positions, {@code
 * RUN.grad0.WEIGHT} and {@code RUN.m.WEIGHT} [size], the first gradient and the last values, and
 * {@code RUN.head.weight}, {@code RUN.head.bias}, the last head. A run without positions is named
 * after its pattern, and has the values in the row-major order of their positions.
 */
final class ReferenceRun {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path directory;
  private final String name;
  private final JsonNode expected;
  private final Safetensors tensors;
  private final EncoderConfig config;

  /**
   * Millrace's results for a run.
   *
   * @param losses [step]
   * @param logits [step][example][class]
   * @param differences for each tensor, the norm of the difference divided by the norm of the
   *     expected values
   * @param sha256 of the last state
   */
  record Result(
      double[] losses, float[][][] logits, Map<String, Double> differences, String sha256) {}

  private ReferenceRun(Path directory, String name) throws IOException {
    this.directory = directory;
    this.name = name;
    this.expected = JSON.readTree(directory.resolve("expected.json").toFile());
    this.tensors = Safetensors.open(directory.resolve("expected.safetensors"));
    this.config = new ConfigFile(directory.resolve("config.json")).encoder(pooling());
  }

  /** The runs of a directory, or of the directories in it. */
  static List<ReferenceRun> in(Path root) throws IOException {
    List<Path> directories;
    try (Stream<Path> found =
        isReference(root) ? Stream.of(root) : Files.list(root).filter(ReferenceRun::isReference)) {
      directories = found.sorted().toList();
    }
    List<ReferenceRun> runs = new ArrayList<>();
    for (Path directory : directories) {
      JsonNode expected = JSON.readTree(directory.resolve("expected.json").toFile());
      for (Iterator<String> names = expected.path("runs").fieldNames(); names.hasNext(); ) {
        runs.add(new ReferenceRun(directory, names.next()));
      }
    }
    return runs;
  }

  private static boolean isReference(Path directory) {
    return Files.isRegularFile(directory.resolve("expected.json"));
  }

  Path directory() {
    return directory;
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
    return expected.path("runs").path(name);
  }

  private Pooling pooling() {
    String pooling = expected.path("pooling").asText("");
    if (pooling.contains("mean")) {
      return Pooling.MEAN;
    }
    if (pooling.contains("first") || pooling.toLowerCase().contains("cls")) {
      return Pooling.FIRST_TOKEN;
    }
    throw new AssertionError(directory + ": unknown pooling \"" + pooling + "\"");
  }

  /** Trains through all batches. */
  Result with(int threads) throws IOException {
    AdapterMethod method = method();
    AdapterLayout layout = AdapterLayout.of(config, method);
    int[][] sorted = layout.parts().stream().map(this::sortedIndex).toArray(int[][]::new);
    ModelFiles files = new ModelFiles(directory.toString(), directory, config, "", "", "");
    List<double[]> losses = new ArrayList<>();
    List<float[][]> logits = new ArrayList<>();
    Map<String, Double> differences = new LinkedHashMap<>();
    try (BaseModel base =
            BaseModel.loadWithoutTokenizer(files, Torch.device("cpu"), method.factored());
        Trainer trainer = new Trainer(base, settings(method), threads)) {
      TrainingState state = initial(method, layout);
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
          compare(layout, sorted, ".grad0.", gradients.values().clone(), differences);
        }
        losses.add(new double[] {gradients.loss()});
        logits.add(gradients.logits());
        state = trainer.update(state, gradients, examples);
      }
      compare(layout, sorted, ".m.", state.adapter().values(), differences);
      compare(
          name + ".head.weight", Head.weights(state.head().values(), config.hidden()), differences);
      compare(
          name + ".head.bias", Head.biases(state.head().values(), config.hidden()), differences);
      return new Result(
          losses.stream().mapToDouble(loss -> loss[0]).toArray(),
          logits.toArray(float[][][]::new),
          differences,
          state.sha256());
    }
  }

  /** The largest differences, as text. */
  String worst(Result result) {
    double loss = 0;
    double logit = 0;
    for (int step = 0; step < losses().length; step++) {
      loss = Math.max(loss, Math.abs(result.losses()[step] - losses()[step]));
      for (int i = 0; i < logits()[step].length; i++) {
        for (int label = 0; label < logits()[step][i].length; label++) {
          double difference = result.logits()[step][i][label] - logits()[step][i][label];
          logit = Math.max(logit, Math.abs(difference));
        }
      }
    }
    return "loss %.1e, logits %.1e, gradients %.1e, M %.1e, head %.1e"
        .formatted(
            loss,
            logit,
            largest(result, ".grad0."),
            largest(result, ".m."),
            largest(result, ".head."));
  }

  private double largest(Result result, String kind) {
    return result.differences().entrySet().stream()
        .filter(entry -> entry.getKey().startsWith(name + kind))
        .mapToDouble(Map.Entry::getValue)
        .max()
        .orElseThrow();
  }

  private TrainingSettings settings(AdapterMethod method) {
    JsonNode optimizer = expected.path("optimizer");
    double rate = number(optimizer, "lr");
    return new TrainingSettings(
        new Classification(),
        method,
        rate,
        rate,
        number(optimizer, "beta1"),
        number(optimizer, "beta2"),
        number(optimizer, "eps"),
        number(optimizer, "weightDecay"),
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

  private double number(JsonNode node, String field) {
    if (!node.path(field).isNumber()) {
      throw new AssertionError(directory + ": expected.json has no number " + field);
    }
    return node.path(field).doubleValue();
  }

  /**
   * A state whose values are all zero except those of the head, which has all classes from the
   * start.
   */
  private TrainingState initial(AdapterMethod method, AdapterLayout layout) {
    int classes = (int) tensors.shape("head.weight")[0];
    int[] recorded = new int[0];
    if (!((Svft) method).pattern().closedForm()) {
      recorded = new int[layout.size()];
      for (AdapterLayout.Part part : layout.parts()) {
        int[] flat = flatIndex(part.weight().name(), part.n());
        Arrays.sort(flat);
        System.arraycopy(flat, 0, recorded, part.offset(), flat.length);
      }
    }
    TrainingState state =
        TrainingState.initial(method, recorded, new float[0], new float[layout.size()])
            .withLabels(
                new Classification(),
                IntStream.range(0, classes).mapToObj(Integer::toString).toList(),
                config.hidden());
    float[] head =
        Head.join(
            tensors.floats("head.weight", classes, config.hidden()),
            tensors.floats("head.bias", classes),
            config.hidden());
    System.arraycopy(head, 0, state.head().values(), 0, head.length);
    return state;
  }

  /**
   * The method with the run's positions: plain or banded if they have that form, otherwise a
   * pattern that records its positions and has the same number of them.
   */
  private AdapterMethod method() {
    Set<WeightRole> roles = EnumSet.noneOf(WeightRole.class);
    int places = 0;
    int reach = 0;
    int rank = 0;
    EncoderWeight any = null;
    for (EncoderWeight w : config.weights()) {
      if (tensors.has(name + ".index." + w.name())) {
        roles.add(w.role());
        int[] index = index(w.name());
        int size = index.length / 2;
        for (int k = 0; k < size; k++) {
          reach = Math.max(reach, Math.abs(index[k] - index[size + k]));
          rank = Math.max(rank, Math.max(index[k], index[size + k]) + 1);
        }
        if (any == null || w.rank() > any.rank()) {
          any = w;
          places = size;
        }
      }
    }
    if (any == null) {
      return ofName();
    }
    // A closed form includes the last direction. If the positions do not, the basis is truncated.
    for (int directions : new int[] {any.rank(), rank}) {
      Pattern closed = reach == 0 ? new PlainPattern() : new BandedPattern(reach);
      int truncated = directions == any.rank() ? 0 : directions;
      AdapterMethod method = new Svft(closed, truncated, roles);
      if (isClosedForm(method)) {
        return method;
      }
    }
    for (int d = 0; d < any.rank(); d++) {
      Pattern recorded = new RandomPattern(d, 0);
      if (recorded.size(any.rank()) == places) {
        return new Svft(recorded, 0, roles);
      }
    }
    throw new AssertionError(
        "%s: %d places of %d × %d are as many as no pattern has"
            .formatted(this, places, any.rank(), any.rank()));
  }

  /** The method of a run without positions, on every linear weight: plain-0, banded-1 and so on. */
  private AdapterMethod ofName() {
    if (name.startsWith("plain-")) {
      return new Svft(new PlainPattern());
    }
    if (name.matches("banded-\\d+")) {
      return new Svft(new BandedPattern(Integer.parseInt(name.substring(7))));
    }
    throw new AssertionError(this + ": neither positions nor the name of a pattern that has them");
  }

  private boolean isClosedForm(AdapterMethod method) {
    AdapterLayout layout = AdapterLayout.of(config, method);
    List<Positions> positions = layout.positions(new int[0]);
    for (int i = 0; i < positions.size(); i++) {
      AdapterLayout.Part part = layout.parts().get(i);
      int[] flat = flatIndex(part.weight().name(), config.hidden() * config.intermediate());
      Arrays.sort(flat);
      int[] own = positions.get(i).flat(config.hidden() * config.intermediate());
      if (!Arrays.equals(flat, own)) {
        return false;
      }
    }
    return true;
  }

  private int[] index(String weight) {
    String tensor = name + ".index." + weight;
    long[] shape = tensors.shape(tensor);
    return tensors.ints(tensor, 2, shape[shape.length - 1]);
  }

  private int[] flatIndex(String weight, int n) {
    int[] index = index(weight);
    int size = index.length / 2;
    return IntStream.range(0, size)
        .map(k -> Math.addExact(Math.multiplyExact(index[k], n), index[size + k]))
        .toArray();
  }

  /** Position k in row-major order is the position with index [k] in the run's tensors. */
  private int[] sortedIndex(AdapterLayout.Part part) {
    if (!tensors.has(name + ".index." + part.weight().name())) {
      return IntStream.range(0, part.size()).toArray();
    }
    int[] flat = flatIndex(part.weight().name(), part.n());
    return IntStream.range(0, flat.length)
        .boxed()
        .sorted(Comparator.comparingInt(k -> flat[k]))
        .mapToInt(Integer::intValue)
        .toArray();
  }

  private void compare(
      AdapterLayout layout,
      int[][] sorted,
      String kind,
      float[] values,
      Map<String, Double> differences) {
    for (int i = 0; i < layout.parts().size(); i++) {
      AdapterLayout.Part part = layout.parts().get(i);
      float[] own = new float[part.size()];
      for (int k = 0; k < own.length; k++) {
        own[sorted[i][k]] = values[part.offset() + k];
      }
      compare(name + kind + part.weight().name(), own, differences);
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
