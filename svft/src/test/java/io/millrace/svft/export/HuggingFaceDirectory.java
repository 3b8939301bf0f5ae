package io.millrace.svft.export;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Writes a Hugging Face directory of a random encoder: two layers of width 8, two heads, 12 tokens.
 * A test can change config, tokenizer and tensors before it writes the directory.
 */
public final class HuggingFaceDirectory {
  static final String[] TOKENS = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "stream", "of", "examples", "##s", "turn", "into", "s"
  };

  public final ObjectMapper json = new ObjectMapper();
  public final ObjectNode config;
  public final ObjectNode tokenizer;
  public final Map<String, Safetensors.AnyTensor> tensors = new LinkedHashMap<>();
  private final Map<String, String> others = new LinkedHashMap<>();

  private HuggingFaceDirectory(Architecture architecture) {
    this.config = json.createObjectNode().put("model_type", architecture.id());
    this.tokenizer = tokenizer();
    config.put("vocab_size", TOKENS.length);
    switch (architecture) {
      case BERT -> bertConfig().put("max_position_embeddings", 16).put("type_vocab_size", 2);
      case ROBERTA ->
          bertConfig()
              .put("max_position_embeddings", 18)
              .put("type_vocab_size", 1)
              .put("layer_norm_eps", 1e-5)
              .put("pad_token_id", 1);
      case DISTILBERT ->
          config
              .put("dim", 8)
              .put("n_layers", 2)
              .put("n_heads", 2)
              .put("hidden_dim", 12)
              .put("activation", "gelu")
              .put("max_position_embeddings", 16);
    }
  }

  private ObjectNode bertConfig() {
    return config
        .put("hidden_size", 8)
        .put("num_hidden_layers", 2)
        .put("num_attention_heads", 2)
        .put("intermediate_size", 12)
        .put("hidden_act", "gelu")
        .put("layer_norm_eps", 1e-12);
  }

  /** The shape that the import must read. */
  public static EncoderConfig shape(Architecture architecture) {
    return switch (architecture) {
      case BERT -> new EncoderConfig(architecture, Pooling.MEAN, 2, 8, 2, 12, 12, 16, 0, 2, 1e-12f);
      case ROBERTA ->
          new EncoderConfig(architecture, Pooling.MEAN, 2, 8, 2, 12, 12, 16, 2, 1, 1e-5f);
      case DISTILBERT ->
          new EncoderConfig(architecture, Pooling.MEAN, 2, 8, 2, 12, 12, 16, 0, 0, 1e-12f);
    };
  }

  /** The same values each time. */
  public static HuggingFaceDirectory of(Architecture architecture) {
    HuggingFaceDirectory directory = new HuggingFaceDirectory(architecture);
    Random random = new Random(architecture.ordinal());
    shape(architecture)
        .tensors()
        .forEach(
            (name, shape) -> {
              float[] values =
                  new float[(int) (shape.length == 1 ? shape[0] : shape[0] * shape[1])];
              for (int i = 0; i < values.length; i++) {
                values[i] = (float) (0.5 * random.nextGaussian());
              }
              directory.put(new Safetensors.Tensor(name, shape, values));
            });
    return directory;
  }

  public HuggingFaceDirectory put(Safetensors.AnyTensor tensor) {
    tensors.put(tensor.name(), tensor);
    return this;
  }

  /** The name in the checkpoint of a task model or in an old checkpoint. */
  public HuggingFaceDirectory rename(String name, String other) {
    Safetensors.Tensor tensor = (Safetensors.Tensor) tensors.remove(name);
    return put(new Safetensors.Tensor(other, tensor.shape(), tensor.values()));
  }

  /** Adds a file, optionally in a folder. */
  public HuggingFaceDirectory file(String path, String content) {
    others.put(path, content.replace('\'', '"'));
    return this;
  }

  public Path write(Path directory) throws IOException {
    Files.createDirectories(directory);
    json.writeValue(directory.resolve("config.json").toFile(), config);
    json.writeValue(directory.resolve("tokenizer.json").toFile(), tokenizer);
    List<Safetensors.AnyTensor> all = new ArrayList<>(tensors.values());
    Files.write(
        directory.resolve("model.safetensors"), Safetensors.toBytes(Map.of("format", "pt"), all));
    for (Map.Entry<String, String> other : others.entrySet()) {
      Path path = directory.resolve(other.getKey());
      Files.createDirectories(path.getParent());
      Files.writeString(path, other.getValue());
    }
    return directory;
  }

  private ObjectNode tokenizer() {
    ObjectNode root = json.createObjectNode().put("version", "1.0");
    var added = root.putArray("added_tokens");
    for (int id = 0; id < 4; id++) {
      added
          .addObject()
          .put("id", id)
          .put("content", TOKENS[id])
          .put("single_word", false)
          .put("lstrip", false)
          .put("rstrip", false)
          .put("normalized", false)
          .put("special", true);
    }
    root.putObject("pre_tokenizer").put("type", "Whitespace");
    ObjectNode template = root.putObject("post_processor").put("type", "BertProcessing");
    template.putArray("sep").add("[SEP]").add(3);
    template.putArray("cls").add("[CLS]").add(2);
    ObjectNode model = root.putObject("model").put("type", "WordPiece").put("unk_token", "[UNK]");
    model.put("continuing_subword_prefix", "##").put("max_input_chars_per_word", 100);
    ObjectNode vocabulary = model.putObject("vocab");
    for (int id = 0; id < TOKENS.length; id++) {
      vocabulary.put(TOKENS[id], id);
    }
    return root;
  }
}
