package io.millrace.svft.export;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.TextSettings;
import io.millrace.svft.task.Head;
import io.millrace.svft.tensor.JsonText;
import io.millrace.svft.tensor.Safetensors;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** The directory of an export, and the files that all kinds of exports have. */
final class ExportFiles {
  static final Map<String, String> PYTORCH = Map.of("format", "pt");

  private final EncoderConfig config;
  private final Adapter adapter;
  private final Path directory;
  private final ExportedTokenizer tokenizer;
  private final TextSettings texts;
  private final Safetensors stored;

  /**
   * @param base the adapter's base model
   * @param adapter the version to export
   * @param directory an existing, empty directory
   * @throws AdapterException if the adapter does not belong to this base model, or has no labels
   * @throws ModelException if the tokenizer has no token to pad with
   * @throws IOException if a file of the base model cannot be read
   */
  ExportFiles(BaseModel base, Adapter adapter, Path directory) throws IOException {
    adapter.requireFits(base);
    if (adapter.labels().isEmpty()) {
      throw new AdapterException(
          "adapter %s@%d has no labels: there is nothing to predict"
              .formatted(adapter.domain(), adapter.version()));
    }
    this.config = base.config();
    this.adapter = adapter;
    this.directory = directory;
    this.texts = base.texts();
    this.tokenizer =
        ExportedTokenizer.read(base.directory().resolve(ModelFiles.TOKENIZER), config, texts);
    this.stored = Safetensors.open(base.directory().resolve(ModelFiles.MODEL));
  }

  /** The tensors of the base model. */
  Safetensors stored() {
    return stored;
  }

  /** The id of the token to pad with. */
  int padding() {
    return tokenizer.padding();
  }

  /** Writes the files of the tokenizer. */
  void tokenizer() throws IOException {
    json("tokenizer.json", tokenizer.tokenizer());
    json("tokenizer_config.json", tokenizer.configuration());
    json("special_tokens_map.json", tokenizer.specialTokens());
  }

  /**
   * The head in the layers of a sequence-classification model: see {@link ClassificationHead}.
   *
   * @param changed the tensors of the base model that the adapter changes; the weight and the bias
   *     of the last layer normalisation are read
   * @throws AdapterException if a value exceeds the range of float32
   */
  List<Safetensors.Tensor> classificationHead(Map<String, float[]> changed) {
    String norm = config.architecture().outputNorm(config.layers() - 1);
    float[] weight = tensor(norm + ".weight", changed);
    float[] bias = tensor(norm + ".bias", changed);
    return ClassificationHead.tensors(config, adapter.head(), weight, bias);
  }

  private float[] tensor(String name, Map<String, float[]> changed) {
    float[] own = changed.get(name);
    return own == null ? stored.floats(name, config.hidden()) : own;
  }

  /** Writes the head beside an encoder: {@code weight} [labels, hidden], {@code bias} [labels]. */
  void head() throws IOException {
    Map<String, String> metadata = Map.of("format", "pt", "labels", JsonText.compact(labels()));
    safetensors("head.safetensors", metadata, head("weight", "bias"));
  }

  /** The head under the given names. */
  List<Safetensors.Tensor> head(String weight, String bias) {
    int labels = adapter.labels().size();
    int hidden = config.hidden();
    long[] shape = {labels, hidden};
    return List.of(
        new Safetensors.Tensor(weight, shape, Head.weights(adapter.head(), hidden)),
        new Safetensors.Tensor(bias, new long[] {labels}, Head.biases(adapter.head(), hidden)));
  }

  /** The labels in the order of the head's rows. */
  ArrayNode labels() {
    ArrayNode labels = JsonText.array();
    adapter.labels().forEach(labels::add);
    return labels;
  }

  /** Where the export comes from. */
  ObjectNode provenance() {
    ObjectNode json =
        JsonText.object()
            .put("domain", adapter.domain())
            .put("version", adapter.version())
            .put("sha256", adapter.sha256());
    json.put("parentSha256", adapter.parentSha256().isEmpty() ? null : adapter.parentSha256());
    json.put("baseModel", adapter.baseModel())
        .put("baseSha256", adapter.baseSha256())
        .put("basisSha256", adapter.basisSha256())
        .put("method", adapter.method().spec())
        .put("pooling", config.pooling().id())
        .put("steps", adapter.steps())
        .put("examples", adapter.examples());
    return json;
  }

  /**
   * Writes {@code README.md}.
   *
   * @param frontMatter YAML between its marks; empty if there is none
   * @param what the export is, one sentence
   * @param order where the labels stand
   * @param usage the sections on how to load it
   */
  void readme(String frontMatter, String what, String order, String usage) throws IOException {
    String text =
        """
        %s# A text classifier

        %s Where it comes from (`%s`):

        ```json
        %s
        ```

        It predicts one of %,d labels, in the order of %s. Texts are cut at %d tokens:
        `truncation=True` does it.%s

        %s"""
            .formatted(
                frontMatter,
                what,
                ModelFiles.PROVENANCE,
                JsonText.pretty(provenance()).strip(),
                adapter.labels().size(),
                order,
                texts.maxTokens(),
                texts.lowerCase()
                    ? "\n\nThe base model reads texts in lower case, names of special tokens included. sentence-transformers"
                        + " does that itself;\nwith transformers alone, pass `text.lower()`."
                    : "",
                usage);
    Files.writeString(directory.resolve("README.md"), text);
  }

  void json(String name, JsonNode json) throws IOException {
    Path file = directory.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, JsonText.pretty(json));
  }

  void safetensors(
      String name, Map<String, String> metadata, List<? extends Safetensors.AnyTensor> tensors)
      throws IOException {
    Path file = directory.resolve(name);
    Files.createDirectories(file.getParent());
    try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file))) {
      Safetensors.write(out, metadata, tensors);
    }
  }
}
