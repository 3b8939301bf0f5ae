package io.millrace.svft.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.svft.engine.AdaptedModel;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.Pattern;
import io.millrace.svft.method.Positions;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.task.Classification;
import io.millrace.svft.task.Head;
import io.millrace.svft.task.Task;
import io.millrace.svft.tensor.Floats;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.SafetensorsException;
import io.millrace.svft.tensor.Sha256;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One immutable version of a domain's adapter: the method's trained values, the head, and the
 * identity of the base model that they belong to.
 *
 * <p>The payload is a safetensors file. It holds {@code head.weight} [labels, hidden], {@code
 * head.bias} [labels], the tensors below for each adapted weight, and all other components of this
 * record in the header's metadata. Equal adapters give equal bytes, whose SHA-256 is the version's
 * identity. The payload contains the parent's SHA-256, so versions form a chain.
 *
 * <ul>
 *   <li>svft: {@code <weight>.svft.m} [size], M's values in the row-major order of their positions,
 *       and {@code <weight>.svft.index} [2, size], int32, their rows and columns, for patterns
 *       other than plain and banded. While a gradient pattern has not yet chosen its positions,
 *       neither exists.
 *   <li>lora: {@code <weight>.lora_A.weight} [rank, in] and {@code <weight>.lora_B.weight} [out,
 *       rank], as PEFT names them
 *   <li>full: {@code <weight>.weight} [out, in]
 *   <li>others: what {@link AdapterMethod#tensors} says, under PEFT's names where PEFT has the
 *       method
 * </ul>
 *
 * @param domain the domain's name
 * @param version from 1
 * @param parentSha256 SHA-256 of the previous version; empty for version 1
 * @param baseModel name of the base model
 * @param baseSha256 SHA-256 of the base model's tensors
 * @param basisSha256 SHA-256 of the base model's singular basis
 * @param method the adapter method, which says what was trained besides the head
 * @param config the shape of the encoder
 * @param labels in the order of the head's rows
 * @param positions flat row-major positions of M's values (row · n + column), weight after weight,
 *     for a pattern without a closed form ({@link Pattern#closedForm}); otherwise empty
 * @param values the method's trained values, weight after weight, laid out by {@link
 *     AdapterLayout}; empty while a gradient pattern has not yet chosen its positions
 * @param head [labels, hidden + 1]: per label its weights, then its bias
 * @param steps training steps since version 0
 * @param examples training examples since version 0
 */
public record Adapter(
    String domain,
    long version,
    String parentSha256,
    String baseModel,
    String baseSha256,
    String basisSha256,
    AdapterMethod method,
    EncoderConfig config,
    List<String> labels,
    int[] positions,
    float[] values,
    float[] head,
    long steps,
    long examples) {

  /** The value of {@code format} in the metadata. */
  public static final String FORMAT = "millrace-adapter-1";

  /**
   * Far above the layers of any encoder. The limit keeps a hostile payload from exhausting the
   * reader's memory.
   */
  private static final int MAX_LAYERS = 1000;

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String INDEX = ".svft.index";

  /** The task of the head. A payload of this format names no task; the task is classification. */
  public Task task() {
    return new Classification();
  }

  /** The number of trainable values of all adapted weights, without the head. */
  public int trainableParameters() {
    return layout().size();
  }

  /**
   * SHA-256 of the positions of M's values: row · n + column of each as little-endian int32, weight
   * after weight. Empty if the method has no M, or has not yet chosen its positions.
   */
  public String positionsSha256() {
    if (method.sparsity().isEmpty() || values.length == 0) {
      return "";
    }
    AdapterLayout layout = layout();
    int[] places = new int[layout.size()];
    List<Positions> where = layout.positions(positions);
    for (int i = 0; i < where.size(); i++) {
      AdapterLayout.Part part = layout.parts().get(i);
      System.arraycopy(where.get(i).flat(part.n()), 0, places, part.offset(), part.size());
    }
    return Sha256.of(Floats.toBytes(places));
  }

  AdapterLayout layout() {
    return AdapterLayout.of(config, method);
  }

  /** SHA-256 of the payload: the version's identity. */
  public String sha256() {
    return Sha256.of(toPayload());
  }

  /** The adapter as a safetensors file. */
  public byte[] toPayload() {
    List<Safetensors.AnyTensor> tensors = new ArrayList<>();
    if (values.length > 0) {
      addTensors(tensors);
    }
    int hidden = config.hidden();
    tensors.add(
        new Safetensors.Tensor(
            "head.weight", new long[] {labels.size(), hidden}, Head.weights(head, hidden)));
    tensors.add(
        new Safetensors.Tensor("head.bias", new long[] {labels.size()}, Head.biases(head, hidden)));
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", FORMAT);
    metadata.put("domain", domain);
    metadata.put("version", Long.toString(version));
    metadata.put("parentSha256", parentSha256);
    metadata.put("baseModel", baseModel);
    metadata.put("baseSha256", baseSha256);
    metadata.put("basisSha256", basisSha256);
    metadata.put("method", method.spec());
    metadata.put("config", json(config));
    metadata.put("labels", json(labels));
    metadata.put("steps", Long.toString(steps));
    metadata.put("examples", Long.toString(examples));
    return Safetensors.toBytes(metadata, tensors);
  }

  private void addTensors(List<Safetensors.AnyTensor> tensors) {
    AdapterLayout layout = layout();
    for (AdapterLayout.Named tensor : layout.tensors()) {
      int from = tensor.offset();
      float[] own = Arrays.copyOfRange(values, from, from + tensor.size());
      tensors.add(new Safetensors.Tensor(tensor.name(), tensor.shape(), own));
    }
    if (positions.length > 0) {
      for (AdapterLayout.Part part : layout.parts()) {
        int from = part.offset();
        int[] flat = Arrays.copyOfRange(positions, from, from + part.size());
        int[] index = new int[2 * flat.length];
        for (int k = 0; k < flat.length; k++) {
          index[k] = flat[k] / part.n();
          index[flat.length + k] = flat[k] % part.n();
        }
        long[] shape = {2, flat.length};
        tensors.add(new Safetensors.IntTensor(part.weight().name() + INDEX, shape, index));
      }
    }
  }

  /**
   * Reads a payload.
   *
   * @throws AdapterException if it is not a valid payload; the message says why
   */
  public static Adapter fromPayload(ByteBuffer payload) {
    Adapter adapter;
    try {
      adapter = read(Safetensors.parse(payload));
    } catch (JsonProcessingException e) {
      throw new AdapterException("adapter payload: " + e.getOriginalMessage());
    } catch (SafetensorsException | IllegalArgumentException e) {
      throw new AdapterException("adapter payload: " + e.getMessage());
    }
    // A version is identified by its bytes. The same content in other bytes would have a second
    // identity.
    if (!ByteBuffer.wrap(adapter.toPayload()).equals(payload)) {
      throw new AdapterException(
          "adapter payload: its bytes are not those its content is written in");
    }
    return adapter;
  }

  private static Adapter read(Safetensors file) throws JsonProcessingException {
    Map<String, String> metadata = file.metadata();
    if (!FORMAT.equals(metadata.get("format"))) {
      throw new AdapterException(
          "adapter payload: format is %s, expected %s".formatted(metadata.get("format"), FORMAT));
    }
    AdapterMethod method = AdapterMethod.parse(require(metadata, "method"));
    EncoderConfig config = JSON.readValue(require(metadata, "config"), EncoderConfig.class);
    List<String> labels =
        JSON.readValue(require(metadata, "labels"), new TypeReference<List<String>>() {});
    if (config == null) {
      throw new AdapterException("adapter payload: config is null");
    }
    if (labels == null || labels.contains(null) || Set.copyOf(labels).size() != labels.size()) {
      throw new AdapterException("adapter payload: labels are null or stand twice");
    }
    if (config.layers() > MAX_LAYERS) {
      throw new AdapterException(
          "adapter payload: config says %d layers".formatted(config.layers()));
    }
    int hidden = config.hidden();
    float[] head =
        Head.join(
            finite(file, "head.weight", labels.size(), hidden),
            finite(file, "head.bias", labels.size()),
            hidden);
    AdapterLayout layout = AdapterLayout.of(config, method);
    int[] positions = positions(file, layout);
    float[] values = values(file, layout);
    return new Adapter(
        require(metadata, "domain"),
        count(metadata, "version", 1),
        require(metadata, "parentSha256"),
        require(metadata, "baseModel"),
        require(metadata, "baseSha256"),
        require(metadata, "basisSha256"),
        method,
        config,
        List.copyOf(labels),
        positions,
        values,
        head,
        count(metadata, "steps", 0),
        count(metadata, "examples", 0));
  }

  /** Whether the method has a gradient pattern that has not yet chosen its positions. */
  private static boolean undecided(Safetensors file, AdapterLayout layout) {
    if (layout.method().sparsity().filter(Pattern::needsGradients).isEmpty()) {
      return false;
    }
    EncoderWeight first = layout.parts().get(0).weight();
    return !file.has(first.name() + layout.method().tensors(first).get(0).suffix());
  }

  // Checks the shapes of all tensors before it allocates arrays of the layout's size.
  private static int[] positions(Safetensors file, AdapterLayout layout) {
    Pattern pattern = layout.method().sparsity().orElse(null);
    if (pattern == null || pattern.closedForm() || undecided(file, layout)) {
      return new int[0];
    }
    for (AdapterLayout.Part part : layout.parts()) {
      file.requireShape(part.weight().name() + INDEX, 2, part.size());
    }
    int[] positions = new int[layout.size()];
    for (AdapterLayout.Part part : layout.parts()) {
      int[] index = file.ints(part.weight().name() + INDEX);
      int[] rows = Arrays.copyOf(index, part.size());
      int[] columns = Arrays.copyOfRange(index, part.size(), index.length);
      try {
        int[] flat = new Positions(rows, columns).flat(part.n());
        System.arraycopy(flat, 0, positions, part.offset(), flat.length);
      } catch (IllegalArgumentException e) {
        throw new AdapterException(
            "adapter payload: tensor %s%s: %s"
                .formatted(part.weight().name(), INDEX, e.getMessage()));
      }
    }
    return positions;
  }

  private static float[] values(Safetensors file, AdapterLayout layout) {
    if (undecided(file, layout)) {
      return new float[0];
    }
    for (AdapterLayout.Named tensor : layout.tensors()) {
      file.requireShape(tensor.name(), tensor.shape());
    }
    float[] values = new float[layout.size()];
    for (AdapterLayout.Named tensor : layout.tensors()) {
      System.arraycopy(finite(file, tensor.name()), 0, values, tensor.offset(), tensor.size());
    }
    return values;
  }

  /**
   * Merges this adapter into the adapted weights. A model with these weights and no adapter
   * computes the same, up to rounding.
   *
   * @return the changed tensors of the base model by their names: of each adapted weight W' [out,
   *     in], row-major, and its bias [out] if the adapter changes it; and of the layer
   *     normalisations [hidden] if it trains them
   * @throws AdapterException if it does not belong to this base model
   */
  public Map<String, float[]> merge(BaseModel base) {
    requireFits(base);
    Map<String, float[]> merged = new LinkedHashMap<>();
    try (NDScope scope = new NDScope();
        AdaptedModel model = on(base, base.manager())) {
      for (AdapterLayout.Part part : layout().parts()) {
        String name = part.weight().name();
        merged.put(name + ".weight", model.merged(part.index()).toFloatArray());
        NDArray bias = model.products().get(part.index()).bias();
        if (bias != base.linears().get(part.index()).bias()) {
          merged.put(name + ".bias", bias.toFloatArray());
        }
      }
      for (AdapterLayout.Named norm : layout().norms()) {
        int to = norm.offset() + norm.size();
        merged.put(norm.name(), Arrays.copyOfRange(values, norm.offset(), to));
      }
    }
    return merged;
  }

  /**
   * Applies this adapter to a base model's weights, without merging.
   *
   * @param base the adapter's base model; see {@link #requireFits}
   * @param manager owns the arrays created here, unless a scope of the caller does
   * @throws AdapterException if the base model was loaded without the factors that the method needs
   */
  public AdaptedModel on(BaseModel base, NDManager manager) {
    return on(base, List.of(this), manager);
  }

  /**
   * Whether one pass can score texts of this adapter and of another one: they have one method,
   * which allows it, and both or neither have values.
   */
  public boolean sharesPass(Adapter other) {
    return this == other
        || (method.equals(other.method)
            && method.groups()
            && (values.length == 0) == (other.values.length == 0));
  }

  /** As {@link #on(BaseModel, NDManager)}, for several adapters that {@link #sharesPass share}. */
  static AdaptedModel on(BaseModel base, List<Adapter> adapters, NDManager manager) {
    Adapter first = adapters.get(0);
    AdapterLayout layout = first.layout();
    // Positions of a closed form are those of all; they take time to write down.
    boolean closedForm = first.method.sparsity().map(Pattern::closedForm).orElse(true);
    List<Positions> shared = closedForm ? layout.positions(first.positions) : List.of();
    List<AdapterLayout.Values> all = new ArrayList<>();
    for (Adapter each : adapters) {
      if (!first.sharesPass(each)) {
        throw new IllegalArgumentException(
            "adapters of %s and of %s share no pass"
                .formatted(first.method.spec(), each.method.spec()));
      }
      List<Positions> where =
          each.values.length == 0 || closedForm ? shared : layout.positions(each.positions);
      all.add(new AdapterLayout.Values(where, each.values));
    }
    return AdaptedModel.toPredict(
        base, layout.products(base, all, manager), layout.norms(all, manager));
  }

  /**
   * @param shape the shape to check; none if it has been checked
   */
  private static float[] finite(Safetensors file, String tensor, long... shape) {
    float[] values = shape.length == 0 ? file.floats(tensor) : file.floats(tensor, shape);
    if (!Floats.allFinite(values)) {
      throw new AdapterException(
          "adapter payload: tensor %s holds a value that is not finite".formatted(tensor));
    }
    return values;
  }

  /** Like {@link #fromPayload(ByteBuffer)}. */
  public static Adapter fromPayload(byte[] payload) {
    return fromPayload(ByteBuffer.wrap(payload));
  }

  /**
   * Checks that this adapter was trained on the given base model and basis.
   *
   * @throws AdapterException if a hash or the shape differs; the message names both values
   */
  public void requireFits(BaseModel base) {
    requireSame("base model", baseSha256, base.baseSha256());
    requireSame("singular basis", basisSha256, base.basisSha256());
    if (!config.equals(base.config())) {
      throw new AdapterException(
          name() + " has shape " + config + ", the base model here " + base.config());
    }
  }

  private void requireSame(String what, String trainedOn, String here) {
    if (!trainedOn.equals(here)) {
      throw new AdapterException(
          "%s was trained on the %s %s; the one here is %s"
              .formatted(name(), what, trainedOn, here));
    }
  }

  private String name() {
    return "adapter " + domain + "@" + version;
  }

  private static String require(Map<String, String> metadata, String key) {
    String value = metadata.get(key);
    if (value == null) {
      throw new AdapterException("adapter payload: metadata has no " + key);
    }
    return value;
  }

  private static long count(Map<String, String> metadata, String key, long least) {
    String text = require(metadata, key);
    try {
      long count = Long.parseLong(text);
      if (count >= least) {
        return count;
      }
    } catch (NumberFormatException e) {
      // Reported below.
    }
    throw new AdapterException(
        "adapter payload: %s is %s, not a number from %d on".formatted(key, text, least));
  }

  private static String json(Object value) {
    try {
      return JSON.writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
