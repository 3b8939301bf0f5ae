package io.millrace.svft;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One immutable version of a domain's adapter: M's values and the head, with what they belong to.
 *
 * <p>Its payload is a safetensors file with one tensor {@code <weight>.svft.m} [n] per adapted
 * weight, {@code head.weight} [labels, hidden], {@code head.bias} [labels], and everything else of
 * this record in the header's metadata. Equal adapters give equal bytes, whose SHA-256 is the
 * version's identity; the parent's stands inside, so versions form a chain.
 *
 * @param domain whose adapter it is
 * @param version from 1
 * @param parentSha256 the version before; empty for version 1
 * @param baseModel name of the base model
 * @param baseSha256 hash of the base model's tensors
 * @param basisSha256 hash of its singular basis
 * @param method what was trained
 * @param labels in the order of the head's rows
 * @param values M's values, in the order of the base model's adapted weights
 * @param head [labels, hidden + 1]
 * @param steps training steps from version 0
 * @param examples examples trained on from version 0
 */
public record Adapter(
    String domain,
    long version,
    String parentSha256,
    String baseModel,
    String baseSha256,
    String basisSha256,
    TrainingSettings.Method method,
    EncoderConfig config,
    List<String> labels,
    float[] values,
    float[] head,
    long steps,
    long examples) {

  /** Value of the metadata's {@code format}. */
  public static final String FORMAT = "millrace-adapter-1";

  /** The sparsity pattern of M. */
  public static final String PATTERN = "plain";

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String M_SUFFIX = ".svft.m";

  /** What a state holds, as a version. */
  public static Adapter of(
      BaseModel base, TrainingState state, String domain, long version, String parentSha256) {
    return new Adapter(
        domain,
        version,
        parentSha256,
        base.name(),
        base.baseSha256(),
        base.basisSha256(),
        state.method(),
        base.config(),
        state.labels(),
        state.values(),
        state.head(),
        state.steps(),
        state.examples());
  }

  /** Trainable values of M over all adapted weights, the head not counted. */
  public int trainableParameters() {
    return method == TrainingSettings.Method.HEAD ? 0 : values.length;
  }

  /** SHA-256 of the payload: the version's identity. */
  public String sha256() {
    return Sha256.of(toPayload());
  }

  /** The adapter as a safetensors file. */
  public byte[] toPayload() {
    List<Safetensors.Tensor> tensors = new ArrayList<>();
    for (AdaptedWeight w : config.adaptedWeights()) {
      float[] m = Arrays.copyOfRange(values, w.offset(), w.offset() + w.rank());
      tensors.add(new Safetensors.Tensor(w.name() + M_SUFFIX, new long[] {m.length}, m));
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
    metadata.put("method", method.id());
    metadata.put("pattern", PATTERN);
    metadata.put("config", json(config));
    metadata.put("labels", json(labels));
    metadata.put("steps", Long.toString(steps));
    metadata.put("examples", Long.toString(examples));
    return Safetensors.toBytes(metadata, tensors);
  }

  /**
   * Reads a payload.
   *
   * @throws AdapterException where it is not one: the message says what is wrong with it
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
    // A version is its content: the same content in other bytes would have two identities.
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
    if (!PATTERN.equals(require(metadata, "pattern"))) {
      throw new AdapterException(
          "adapter payload: pattern %s is not supported".formatted(metadata.get("pattern")));
    }
    EncoderConfig config = JSON.readValue(require(metadata, "config"), EncoderConfig.class);
    List<String> labels =
        JSON.readValue(require(metadata, "labels"), new TypeReference<List<String>>() {});
    if (config == null) {
      throw new AdapterException("adapter payload: config is null");
    }
    if (labels == null || labels.contains(null) || Set.copyOf(labels).size() != labels.size()) {
      throw new AdapterException("adapter payload: labels are null or stand twice");
    }
    float[] values = values(file, config);
    int hidden = config.hidden();
    float[] head =
        Head.join(
            file.floats("head.weight", labels.size(), hidden),
            file.floats("head.bias", labels.size()),
            hidden);
    if (!Floats.allFinite(values) || !Floats.allFinite(head)) {
      throw new AdapterException("adapter payload: a value is not finite");
    }
    return new Adapter(
        require(metadata, "domain"),
        count(metadata, "version", 1),
        require(metadata, "parentSha256"),
        require(metadata, "baseModel"),
        require(metadata, "baseSha256"),
        require(metadata, "basisSha256"),
        TrainingSettings.Method.of(require(metadata, "method")),
        config,
        List.copyOf(labels),
        values,
        head,
        count(metadata, "steps", 0),
        count(metadata, "examples", 0));
  }

  /** M's values. Nothing is sized by the config before the tensors it speaks of are there. */
  private static float[] values(Safetensors file, EncoderConfig config) {
    if (config.layers() > file.names().size()) {
      throw new AdapterException(
          "adapter payload: config says %d layers, the file has %d tensors"
              .formatted(config.layers(), file.names().size()));
    }
    for (AdaptedWeight w : config.adaptedWeights()) {
      file.requireShape(w.name() + M_SUFFIX, w.rank());
    }
    float[] values = new float[config.plainValues()];
    for (AdaptedWeight w : config.adaptedWeights()) {
      float[] m = file.floats(w.name() + M_SUFFIX);
      System.arraycopy(m, 0, values, w.offset(), m.length);
    }
    return values;
  }

  /** As {@link #fromPayload(ByteBuffer)}. */
  public static Adapter fromPayload(byte[] payload) {
    return fromPayload(ByteBuffer.wrap(payload));
  }

  /**
   * Checks that this adapter was trained on the given base model and basis.
   *
   * @throws AdapterException naming the two hashes that differ
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
      // Said below.
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
