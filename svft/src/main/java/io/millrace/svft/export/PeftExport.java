package io.millrace.svft.export;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Writes an adapter as a directory that Hugging Face PEFT loads beside the base model, without
 * Millrace's code. Equal adapters give equal files.
 *
 * <p>With first-token pooling, the adapter is one of a sequence-classification model, whose layers
 * after the encoder it brings along: see {@link ClassificationHead}. With mean pooling, and where
 * those layers cannot hold the head, it is one of the encoder. In all cases the head stands in
 * {@code head.safetensors}, too ({@code weight} [labels, hidden], {@code bias} [labels]).
 */
public final class PeftExport {
  /** What PEFT puts before the names of modules in the model that it adapts. */
  private static final String WRAPPED = "base_model.model.";

  private static final String CLASSIFIER =
      """
      ## Load it

      ```python
      import json

      import torch
      from peft import PeftModel
      from transformers import AutoModelForSequenceClassification, AutoTokenizer

      path = "."  # this directory
      labels = json.load(open(path + "/%s", encoding="utf-8"))["labels"]
      tokenizer = AutoTokenizer.from_pretrained(path)
      base = AutoModelForSequenceClassification.from_pretrained(%s, num_labels=len(labels))
      model = PeftModel.from_pretrained(base, path).eval()

      texts = ["It looks very nice.", "It broke after a day."]
      inputs = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
      with torch.no_grad():
          logits = model(**inputs).logits
      print([labels[i] for i in logits.argmax(-1).tolist()])
      ```

      transformers says that the base model has no weights for some layers: they come with this adapter.
      The head is linear in the first token's vector. The layers that transformers puts between the two are
      set so that they pass it on: logits differ from the adapter's by rounding only. Use float32; half
      precision has too few digits for it.
      """;

  private static final String ENCODER =
      """
      %s: this is an adapter of the encoder, and the head stands in
      `head.safetensors` (`weight` [labels, hidden], `bias` [labels]).

      ## Load it

      ```python
      import json

      import torch
      from peft import PeftModel
      from safetensors.torch import load_file
      from transformers import AutoModel, AutoTokenizer

      path = "."  # this directory
      labels = json.load(open(path + "/%s", encoding="utf-8"))["labels"]
      tokenizer = AutoTokenizer.from_pretrained(path)
      base = AutoModel.from_pretrained(%s)
      encoder = PeftModel.from_pretrained(base, path).eval()
      head = load_file(path + "/head.safetensors")

      texts = ["It looks very nice.", "It broke after a day."]
      inputs = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
      with torch.no_grad():
          tokens = encoder(**inputs).last_hidden_state
      %s
      logits = vector @ head["weight"].T + head["bias"]
      print([labels[i] for i in logits.argmax(-1).tolist()])
      ```
      """;

  private static final String MEAN =
      """
      mask = inputs["attention_mask"].unsqueeze(-1)
      vector = (tokens * mask).sum(1) / mask.sum(1)""";

  private static final String FIRST = "vector = tokens[:, 0]";

  private final BaseModel base;
  private final EncoderConfig config;
  private final Adapter adapter;
  private final AdapterMethod method;
  private final AdapterLayout layout;
  private final ExportFiles files;

  /** The head in a sequence-classification model's layers; none if there is no such model. */
  private final List<Safetensors.Tensor> head;

  private PeftExport(BaseModel base, Adapter adapter, Path directory) throws IOException {
    this.files = new ExportFiles(base, adapter, directory);
    this.base = base;
    this.config = base.config();
    this.adapter = adapter;
    this.method = adapter.method();
    this.layout = AdapterLayout.of(config, method);
    this.head = HuggingFaceExport.classifies(config) ? classificationHead() : List.of();
  }

  /**
   * Checks that PEFT has the method of an adapter.
   *
   * @throws AdapterException if it has not; the message says which format to use
   */
  public static void requireMethod(Adapter adapter) {
    AdapterMethod method = adapter.method();
    if (method.peftConfig(adapter.config(), name -> name).isEmpty()) {
      throw new AdapterException(
          "%s@%d is of the method %s, which PEFT does not have: use --format huggingface, the adapter merged into its base model"
              .formatted(adapter.domain(), adapter.version(), method.id()));
    }
  }

  /**
   * Writes the files of an export.
   *
   * @param base the adapter's base model, loaded with the factors of the roles in {@link
   *     AdapterMethod#factored}
   * @param adapter the version to export
   * @param directory an existing, empty directory
   * @throws AdapterException if PEFT has no such method or cannot hold its values, or the adapter
   *     does not belong to this base model or has no labels
   * @throws ModelException if the tokenizer has no token to pad with
   * @throws IOException if a file cannot be read or written
   */
  public static void write(BaseModel base, Adapter adapter, Path directory) throws IOException {
    requireMethod(adapter);
    PeftExport export = new PeftExport(base, adapter, directory);
    ExportFiles files = export.files;
    files.json("adapter_config.json", export.configuration());
    files.safetensors("adapter_model.safetensors", ExportFiles.PYTORCH, export.tensors());
    files.tokenizer();
    // Also beside layers that hold it: what starts from the directory needs it as it is.
    files.head();
    ObjectNode provenance = files.provenance();
    provenance.set("labels", files.labels());
    files.json(ModelFiles.PROVENANCE, provenance);
    export.readme();
  }

  private boolean classifies() {
    return !head.isEmpty();
  }

  private List<Safetensors.Tensor> classificationHead() {
    Map<String, float[]> norms = new LinkedHashMap<>();
    for (AdapterLayout.Named norm : layout.norms()) {
      norms.put(norm.name(), values(norm.offset(), norm.size()));
    }
    try {
      return files.classificationHead(norms);
    } catch (AdapterException e) {
      // Beyond float32, which the head in a file of its own is not.
      return List.of();
    }
  }

  private float[] values(int from, int size) {
    return Arrays.copyOfRange(adapter.values(), from, from + size);
  }

  /** The name of an encoder's module in the model that PEFT adapts. */
  private String module(String name) {
    return classifies() ? config.architecture().id() + "." + name : name;
  }

  private ObjectNode configuration() {
    ObjectNode json = method.peftConfig(config, this::module).orElseThrow();
    json.put("base_model_name_or_path", ModelStore.publicName(adapter.baseModel()));
    json.put("inference_mode", true);
    json.put("task_type", classifies() ? "SEQ_CLS" : "FEATURE_EXTRACTION");
    // Full names: PEFT adapts every module whose name ends with one of them.
    ArrayNode targets = json.putArray("target_modules");
    layout.parts().forEach(part -> targets.add(module(part.weight().name())));
    if (method.trainsNorms()) {
      config.norms().forEach(norm -> targets.add(module(norm)));
    }
    if (classifies()) {
      ArrayNode saved = json.putArray("modules_to_save");
      switch (config.architecture()) {
        case BERT -> saved.add("classifier").add("bert.pooler.dense");
        case ROBERTA -> saved.add("classifier");
        case DISTILBERT -> saved.add("pre_classifier").add("classifier");
      }
    } else {
      json.putNull("modules_to_save");
    }
    return json;
  }

  private List<Safetensors.Tensor> tensors() {
    List<Safetensors.Tensor> tensors = new ArrayList<>();
    method.peftShared(config).forEach(tensor -> tensors.add(named("base_model", tensor)));
    for (AdapterLayout.Part part : layout.parts()) {
      String module = WRAPPED + module(part.weight().name());
      method
          .peftTensors(base.linears().get(part.index()), part.of(adapter.values()))
          .forEach(tensor -> tensors.add(named(module, tensor)));
    }
    for (AdapterLayout.Named norm : layout.norms()) {
      String name = norm.name().replaceFirst("\\.(weight|bias)$", ".ln_tuning_layers.$1");
      float[] values = values(norm.offset(), norm.size());
      tensors.add(new Safetensors.Tensor(WRAPPED + module(name), norm.shape(), values));
    }
    head.forEach(tensor -> tensors.add(named(WRAPPED, tensor)));
    return tensors;
  }

  private static Safetensors.Tensor named(String prefix, Safetensors.Tensor tensor) {
    return new Safetensors.Tensor(prefix + tensor.name(), tensor.shape(), tensor.values());
  }

  private void readme() throws IOException {
    String name = ModelStore.publicName(adapter.baseModel());
    // A JSON string is a YAML and a Python one.
    String quoted = new TextNode(name).toString();
    String tag = new TextNode("base_model:adapter:" + name).toString();
    String frontMatter =
        """
        ---
        base_model: %s
        library_name: peft
        pipeline_tag: text-classification
        tags:
        - %s
        - %s
        - transformers
        - millrace
        ---

        """
            .formatted(quoted, tag, method.id().toLowerCase(Locale.ROOT));
    boolean mean = !HuggingFaceExport.classifies(config);
    String usage =
        classifies()
            ? CLASSIFIER.formatted(ModelFiles.PROVENANCE, quoted)
            : ENCODER.formatted(
                mean
                    ? "The base model pools by mean, which no sequence-classification class of transformers does"
                    : "The head has values that the layers of a sequence-classification model cannot hold",
                ModelFiles.PROVENANCE,
                quoted,
                mean ? MEAN : FIRST);
    if (name.equals(adapter.baseModel())) {
      usage +=
          "\nPut the directory or the name of the base model in place of %s, as transformers knows it.\n"
              .formatted(quoted);
    }
    files.readme(
        frontMatter,
        "One version of an adapter of %s, for PEFT.".formatted(name),
        "`labels` in `%s`".formatted(ModelFiles.PROVENANCE),
        usage);
  }
}
