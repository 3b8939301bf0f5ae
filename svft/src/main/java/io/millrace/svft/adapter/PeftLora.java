package io.millrace.svft.adapter;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.Lora;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.task.Head;
import io.millrace.svft.tensor.Floats;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.SafetensorsException;
import io.millrace.svft.tensor.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * A LoRA adapter in the directory format of Hugging Face PEFT, from which a domain can start. All
 * settings of PEFT that would change what it computes are honoured or refused.
 *
 * <p>A head is taken over where {@code head.safetensors} has it, as an export of Millrace does:
 * {@code weight} [labels, hidden], {@code bias} [labels], and the labels as a JSON array in the
 * metadata's {@code labels}. The layers after the encoder in a sequence-classification model are
 * left out: no linear head computes what they do.
 *
 * @param method the method that the values belong to
 * @param labels in the order of the head's rows; none without a head
 * @param values laid out by {@link AdapterLayout}
 * @param head [labels, hidden + 1]
 * @param notes what was left out, a sentence each
 */
public record PeftLora(
    Lora method, List<String> labels, float[] values, float[] head, List<String> notes) {
  private static final String CONFIG = "adapter_config.json";
  private static final String MODEL = "adapter_model.safetensors";
  private static final String HEAD = "head.safetensors";
  private static final String WRAPPED = "base_model.model.";

  /** Far above the adapters whose versions fit into a record. */
  private static final long MOST_BYTES = 256 << 20;

  /** Fields that change nothing of what is computed, or that are read here. */
  private static final Set<String> KNOWN =
      Set.of(
          "alpha_pattern",
          "auto_mapping",
          "base_model_name_or_path",
          "bias",
          "exclude_modules",
          "inference_mode",
          "init_lora_weights",
          "layers_pattern",
          "layers_to_transform",
          "lora_alpha",
          "lora_dropout",
          "loftq_config",
          "eva_config",
          "megatron_core",
          "modules_to_save",
          "peft_type",
          "peft_version",
          "qalora_group_size",
          "r",
          "rank_pattern",
          "revision",
          "runtime_config",
          "target_modules",
          "task_type",
          "use_rslora");

  /** The starts that leave the base model's weights as they are. */
  private static final Set<String> STARTS =
      Set.of("true", "false", "gaussian", "orthogonal", "eva");

  /** The first parts of the names of layers after the encoder. */
  private static final Set<String> HEADS =
      Set.of("classifier", "pre_classifier", "pooler", "score");

  private static final ObjectMapper JSON = new ObjectMapper();

  /** The files of a directory, in memory, so that what is hashed is what is read. */
  public static final class Content {
    private final Path directory;
    private final Map<String, byte[]> files = new TreeMap<>();

    /**
     * Reads a directory.
     *
     * @throws AdapterException if it holds no adapter of PEFT in a format that is read, or a file
     *     is too large
     * @throws IOException if a file cannot be read
     */
    public static Content of(Path directory) throws IOException {
      if (!Files.isRegularFile(directory.resolve(CONFIG))) {
        throw new AdapterException(
            "%s: there is no %s, so it holds no adapter of PEFT".formatted(directory, CONFIG));
      }
      if (!Files.isRegularFile(directory.resolve(MODEL))) {
        throw new AdapterException(
            Files.exists(directory.resolve("adapter_model.bin"))
                ? "%s: adapter_model.bin is a pickle, which can run any code when it is read: save it as %s, with save_pretrained of PEFT"
                    .formatted(directory, MODEL)
                : "%s: there is no %s".formatted(directory, MODEL));
      }
      Content content = new Content(directory);
      for (String name : List.of(CONFIG, MODEL, HEAD, ModelFiles.PROVENANCE)) {
        Path file = directory.resolve(name);
        if (Files.isRegularFile(file)) {
          if (Files.size(file) > MOST_BYTES) {
            throw new AdapterException(
                "%s has %d bytes, more than the %d that are read"
                    .formatted(file, Files.size(file), MOST_BYTES));
          }
          content.files.put(name, Files.readAllBytes(file));
        }
      }
      return content;
    }

    private Content(Path directory) {
      this.directory = directory;
    }

    /** SHA-256 over a line for each file, its name and its SHA-256, in the order of the names. */
    public String sha256() {
      StringBuilder lines = new StringBuilder();
      files.forEach(
          (name, bytes) -> lines.append(name).append(' ').append(Sha256.of(bytes)).append('\n'));
      return Sha256.of(lines.toString().getBytes(StandardCharsets.UTF_8));
    }

    private boolean has(String name) {
      return files.containsKey(name);
    }

    private JsonNode json(String name) {
      try {
        JsonNode json = JSON.readTree(files.get(name));
        if (json != null && json.isObject()) {
          return json;
        }
        throw refused(name, "is no JSON object");
      } catch (JsonProcessingException e) {
        throw refused(name, Safetensors.oneLine(e.getOriginalMessage()));
      } catch (IOException e) {
        throw refused(name, e.toString());
      }
    }

    private Safetensors safetensors(String name) {
      return Safetensors.parse(ByteBuffer.wrap(files.get(name)));
    }

    private AdapterException refused(String name, String why) {
      return new AdapterException(directory.resolve(name) + ": " + why);
    }
  }

  /**
   * Reads an adapter for an encoder.
   *
   * @param config the shape of the encoder
   * @param baseSha256 SHA-256 of the base model's tensors, which an export of Millrace names
   * @throws AdapterException if it is broken, not LoRA, adapts anything else than whole roles of
   *     the encoder's weights, or was exported from another base model; the message is one line
   */
  public static PeftLora of(Content content, EncoderConfig config, String baseSha256) {
    requireBase(content, baseSha256);
    List<String> notes = new ArrayList<>();
    JsonNode json = content.json(CONFIG);
    requireSettings(content, json, notes);
    try {
      Safetensors file = content.safetensors(MODEL);
      Names names = new Names(config, file);
      Set<WeightRole> roles = names.roles(content, json, notes);
      Lora method = method(content, json, roles);
      AdapterLayout layout = AdapterLayout.of(config, method);
      float[] values = new float[layout.size()];
      for (AdapterLayout.Named tensor : layout.tensors()) {
        String name = names.inFile(tensor.name());
        float[] own = finite(file, name, tensor.shape());
        System.arraycopy(own, 0, values, tensor.offset(), own.length);
      }
      if (!content.has(HEAD)) {
        return new PeftLora(method, List.of(), values, new float[0], List.copyOf(notes));
      }
      return withHead(content, config, method, values, notes);
    } catch (SafetensorsException e) {
      throw content.refused(MODEL, e.getMessage());
    }
  }

  private static PeftLora withHead(
      Content content, EncoderConfig config, Lora method, float[] values, List<String> notes) {
    try {
      Safetensors file = content.safetensors(HEAD);
      List<String> labels = new ArrayList<>();
      JsonNode named = JSON.readTree(file.metadata().getOrDefault("labels", ""));
      named.forEach(label -> labels.add(label.isTextual() ? label.asText() : null));
      if (!named.isArray() || labels.contains(null) || Set.copyOf(labels).size() < labels.size()) {
        throw content.refused(HEAD, "its metadata names no labels, or one twice");
      }
      int hidden = config.hidden();
      float[] head =
          Head.join(
              finite(file, "weight", labels.size(), hidden),
              finite(file, "bias", labels.size()),
              hidden);
      return new PeftLora(method, List.copyOf(labels), values, head, List.copyOf(notes));
    } catch (SafetensorsException e) {
      throw content.refused(HEAD, e.getMessage());
    } catch (JsonProcessingException e) {
      throw content.refused(HEAD, "its metadata names no labels");
    }
  }

  private static void requireBase(Content content, String baseSha256) {
    if (content.has(ModelFiles.PROVENANCE)) {
      String trainedOn = content.json(ModelFiles.PROVENANCE).path("baseSha256").asText(baseSha256);
      if (!trainedOn.equals(baseSha256)) {
        throw content.refused(
            ModelFiles.PROVENANCE,
            "it was trained on the base model %s; the one here is %s"
                .formatted(Safetensors.oneLine(trainedOn), baseSha256));
      }
    }
  }

  private static void requireSettings(Content content, JsonNode json, List<String> notes) {
    String type = json.path("peft_type").asText();
    if (!type.equals("LORA")) {
      throw field(content, json, "peft_type", "only LORA can be started from");
    }
    if (json.path("use_dora").asBoolean()) {
      throw field(content, json, "use_dora", "only plain LoRA can be started from");
    }
    if (!json.path("bias").asText("none").equals("none")) {
      throw field(content, json, "bias", "biases are not adapted; only \"none\" is supported");
    }
    JsonNode start = json.path("init_lora_weights");
    if (!start.isMissingNode() && !start.isNull() && !STARTS.contains(start.asText())) {
      throw field(content, json, "init_lora_weights", "such a start may change the base model");
    }
    for (String pattern : List.of("rank_pattern", "alpha_pattern")) {
      if (!isEmpty(json.path(pattern))) {
        throw field(content, json, pattern, "all weights must have one rank and one alpha");
      }
    }
    json.fieldNames()
        .forEachRemaining(
            name -> {
              if (!KNOWN.contains(name) && !isEmpty(json.path(name))) {
                throw field(content, json, name, "not supported");
              }
            });
    if (json.path("lora_dropout").asDouble() != 0) {
      notes.add("lora_dropout is %s and is not used".formatted(json.path("lora_dropout").asText()));
    }
  }

  private static boolean isEmpty(JsonNode value) {
    return value.isMissingNode()
        || value.isNull()
        || value.isContainerNode() && value.isEmpty()
        || value.isBoolean() && !value.booleanValue()
        || value.isTextual() && value.asText().isEmpty();
  }

  private static AdapterException field(Content content, JsonNode json, String name, String why) {
    return content.refused(
        CONFIG,
        "field %s is %s; %s"
            .formatted(
                Safetensors.oneLine(name),
                json.has(name) ? Safetensors.oneLine(json.path(name).toString()) : "missing",
                why));
  }

  private static Lora method(Content content, JsonNode json, Set<WeightRole> roles) {
    JsonNode rank = json.path("r");
    JsonNode alpha = json.path("lora_alpha");
    if (!rank.canConvertToInt() || !rank.isIntegralNumber() || rank.intValue() < 1) {
      throw field(content, json, "r", "it must be a whole number from 1");
    }
    if (!alpha.isNumber() || !(alpha.doubleValue() > 0) || Double.isInfinite(alpha.doubleValue())) {
      throw field(content, json, "lora_alpha", "it must be a positive number");
    }
    Lora.Scaling scaling =
        json.path("use_rslora").asBoolean() ? Lora.Scaling.ROOT_RANK : Lora.Scaling.RANK;
    return new Lora(rank.intValue(), alpha.doubleValue(), scaling, roles);
  }

  private static float[] finite(Safetensors file, String tensor, long... shape) {
    float[] values = file.floats(tensor, shape);
    if (!Floats.allFinite(values)) {
      throw new SafetensorsException(
          "tensor %s holds a value that is not finite".formatted(Safetensors.oneLine(tensor)));
    }
    return values;
  }

  /** The names of a file's tensors: those of the encoder, or of a task model with it. */
  private static final class Names {
    private final EncoderConfig config;
    private final Safetensors file;
    private final String prefix;

    Names(EncoderConfig config, Safetensors file) {
      this.config = config;
      this.file = file;
      String task = WRAPPED + config.architecture().id() + ".";
      this.prefix = file.names().stream().anyMatch(name -> name.startsWith(task)) ? task : WRAPPED;
    }

    String inFile(String name) {
      return prefix + name;
    }

    /** The roles that have tensors. Checks that nothing else is adapted. */
    Set<WeightRole> roles(Content content, JsonNode json, List<String> notes) {
      Set<WeightRole> roles = EnumSet.noneOf(WeightRole.class);
      Set<String> known = new HashSet<>();
      for (EncoderWeight weight : config.weights()) {
        for (String factor : List.of(".lora_A.weight", ".lora_B.weight")) {
          String name = inFile(weight.name() + factor);
          known.add(name);
          if (file.has(name)) {
            roles.add(weight.role());
          }
        }
      }
      Set<String> left = new TreeSet<>();
      for (String name : file.names()) {
        String plain = name.startsWith(prefix) ? name.substring(prefix.length()) : name;
        String outer = name.startsWith(WRAPPED) ? name.substring(WRAPPED.length()) : name;
        String first = HEADS.contains(first(plain)) ? first(plain) : first(outer);
        if (HEADS.contains(first)) {
          left.add(first);
        } else if (!known.contains(name)) {
          throw content.refused(
              MODEL,
              "tensor %s is not one of LoRA on the linear weights of a %s encoder of %d layers"
                  .formatted(
                      Safetensors.oneLine(name), config.architecture().id(), config.layers()));
        }
      }
      for (JsonNode saved : json.path("modules_to_save")) {
        String module = saved.asText();
        if (!HEADS.contains(first(module))
            && !HEADS.contains(first(module.substring(module.indexOf('.') + 1)))) {
          throw field(
              content, json, "modules_to_save", "only layers after the encoder may be saved");
        }
      }
      if (roles.isEmpty()) {
        throw content.refused(MODEL, "it holds no tensor of LoRA");
      }
      if (!left.isEmpty() && !content.has(HEAD)) {
        notes.add(
            "%s left out: the head begins without labels".formatted(String.join(" and ", left)));
      }
      return roles;
    }

    private static String first(String name) {
      int dot = name.indexOf('.');
      return dot < 0 ? name : name.substring(0, dot);
    }
  }

  /**
   * Checks that a domain's method is that of this adapter.
   *
   * @throws AdapterException if not; the message says what to set
   */
  public void requireMethod(AdapterMethod set) {
    if (!set.equals(method)) {
      String options =
          method.form().options().stream()
              .map(
                  option ->
                      ", %s.%s=%s"
                          .formatted(
                              method.id(), option.name(), method.options().get(option.name())))
              .collect(Collectors.joining());
      throw new AdapterException(
          "it was trained with %s, the setting is %s: set adapter.method=%s%s, adapter.weights=%s"
              .formatted(
                  method.spec(),
                  set.spec(),
                  method.id(),
                  options,
                  method.weights().stream().map(WeightRole::id).collect(Collectors.joining("+"))));
    }
  }
}
