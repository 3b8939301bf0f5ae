package io.millrace.svft.export;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.model.TextSettings;
import io.millrace.svft.tensor.JsonText;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Writes an adapter, merged into its base model, as a directory that Hugging Face transformers
 * loads without Millrace's code. Equal adapters give equal files.
 *
 * <p>With first-token pooling, the directory is a sequence-classification model whose logits are
 * the adapter's: see {@link ClassificationHead}. No sequence-classification class of transformers
 * pools by mean. With mean pooling, the directory holds the encoder, the head in {@code
 * head.safetensors} ({@code weight} [labels, hidden], {@code bias} [labels]), and the files with
 * which sentence-transformers computes the logits as its last module.
 */
public final class HuggingFaceExport {
  /** The file that records the adapter from which a directory was made. */
  public static final String PROVENANCE = ModelFiles.PROVENANCE;

  private static final String TRANSFORMER = "sentence_transformers.models.Transformer";
  private static final String POOLING = "sentence_transformers.models.Pooling";
  private static final String DENSE = "sentence_transformers.models.Dense";

  private static final String CLASSIFIER =
      """
      ## Load it

      ```python
      import torch
      from transformers import AutoModelForSequenceClassification, AutoTokenizer

      path = "."  # this directory
      tokenizer = AutoTokenizer.from_pretrained(path)
      model = AutoModelForSequenceClassification.from_pretrained(path)

      texts = ["It looks very nice.", "It broke after a day."]
      inputs = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
      with torch.no_grad():
          logits = model(**inputs).logits
      print([model.config.id2label[i] for i in logits.argmax(-1).tolist()])
      ```

      The head is linear in the first token's vector. The layers that transformers puts between the two are
      set so that they pass it on: logits differ from the adapter's by rounding only. Use float32; half
      precision has too few digits for it.
      """;

  private static final String ENCODER =
      """
      The base model pools by mean, which no sequence-classification class of transformers does: this is the
      encoder, and the head stands in `head.safetensors` (`weight` [labels, hidden], `bias` [labels]).

      ## With sentence-transformers

      The head is its last module, so what it calls embeddings are the logits.

      ```python
      from sentence_transformers import SentenceTransformer

      path = "."  # this directory
      model = SentenceTransformer(path)
      names = model[0].auto_model.config.id2label

      texts = ["It looks very nice.", "It broke after a day."]
      print([names[i] for i in model.encode(texts).argmax(1).tolist()])
      ```

      ## With transformers alone

      ```python
      import torch
      from safetensors.torch import load_file
      from transformers import AutoModel, AutoTokenizer

      path = "."  # this directory
      tokenizer = AutoTokenizer.from_pretrained(path)
      encoder = AutoModel.from_pretrained(path)
      head = load_file(path + "/head.safetensors")

      texts = ["It looks very nice.", "It broke after a day."]
      inputs = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
      mask = inputs["attention_mask"].unsqueeze(-1)
      with torch.no_grad():
          tokens = encoder(**inputs).last_hidden_state
      mean = (tokens * mask).sum(1) / mask.sum(1)
      logits = mean @ head["weight"].T + head["bias"]
      print([encoder.config.id2label[i] for i in logits.argmax(-1).tolist()])
      ```

      The model's `pooler` is the identity and is not used.
      """;

  private final EncoderConfig config;
  private final Adapter adapter;
  private final TextSettings texts;
  private final ExportFiles files;

  private HuggingFaceExport(BaseModel base, Adapter adapter, Path directory) throws IOException {
    this.config = base.config();
    this.adapter = adapter;
    this.texts = base.texts();
    this.files = new ExportFiles(base, adapter, directory);
  }

  /**
   * Writes the files of an export.
   *
   * @param base the adapter's base model, loaded with the factors of the roles in {@code
   *     AdapterMethod.factored}
   * @param adapter the version to export
   * @param directory an existing, empty directory
   * @throws AdapterException if the adapter does not belong to this base model, has no labels, or
   *     its head exceeds the range of float32
   * @throws ModelException if the tokenizer has no token to pad with
   * @throws IOException if a file cannot be read or written
   */
  public static void write(BaseModel base, Adapter adapter, Path directory) throws IOException {
    HuggingFaceExport export = new HuggingFaceExport(base, adapter, directory);
    ExportFiles files = export.files;
    export.model(adapter.merge(base));
    files.json("config.json", export.config());
    files.tokenizer();
    if (!export.classifies()) {
      files.head();
      export.sentenceTransformer();
    }
    files.json(PROVENANCE, files.provenance());
    files.readme(
        "",
        "One version of an adapter, merged into its base model.",
        "`id2label` in `config.json`",
        export.classifies() ? CLASSIFIER : ENCODER);
  }

  /**
   * Whether the export of an encoder of this shape is a sequence-classification model: its pooling
   * is that of the first token.
   */
  public static boolean classifies(EncoderConfig config) {
    return config.pooling() == Pooling.FIRST_TOKEN;
  }

  private boolean classifies() {
    return classifies(config);
  }

  private void model(Map<String, float[]> merged) throws IOException {
    Safetensors stored = files.stored();
    String prefix = classifies() ? config.architecture().id() + "." : "";
    List<Safetensors.AnyTensor> tensors = new ArrayList<>();
    config
        .tensors()
        .forEach(
            (name, shape) -> {
              float[] values = merged.get(name);
              tensors.add(
                  values == null
                      ? new Safetensors.StoredTensor(prefix + name, stored, name)
                      : new Safetensors.Tensor(prefix + name, shape, values));
            });
    if (classifies()) {
      tensors.addAll(files.classificationHead(merged));
    } else if (config.architecture() != Architecture.DISTILBERT) {
      // Nothing reads it, but AutoModel creates a pooler and would warn that its weights are
      // missing.
      int h = config.hidden();
      tensors.add(
          new Safetensors.Tensor(
              "pooler.dense.weight", new long[] {h, h}, ClassificationHead.identity(h, 1)));
      tensors.add(new Safetensors.Tensor("pooler.dense.bias", new long[] {h}, new float[h]));
    }
    files.safetensors("model.safetensors", ExportFiles.PYTORCH, tensors);
  }

  private void sentenceTransformer() throws IOException {
    files.safetensors(
        "2_Dense/model.safetensors",
        ExportFiles.PYTORCH,
        files.head("linear.weight", "linear.bias"));
    ArrayNode modules = JsonText.array();
    String[] types = {TRANSFORMER, POOLING, DENSE};
    String[] paths = {"", "1_Pooling", "2_Dense"};
    for (int i = 0; i < types.length; i++) {
      ObjectNode module = modules.addObject().put("idx", i).put("name", "" + i);
      module.put("path", paths[i]).put("type", types[i]);
    }
    files.json("modules.json", modules);
    files.json(
        "1_Pooling/config.json",
        JsonText.object()
            .put("word_embedding_dimension", config.hidden())
            .put("pooling_mode_cls_token", false)
            .put("pooling_mode_mean_tokens", true)
            .put("pooling_mode_max_tokens", false)
            .put("pooling_mode_mean_sqrt_len_tokens", false));
    files.json(
        "2_Dense/config.json",
        JsonText.object()
            .put("in_features", config.hidden())
            .put("out_features", adapter.labels().size())
            .put("bias", true)
            .put("activation_function", "torch.nn.modules.linear.Identity"));
    files.json(
        "sentence_bert_config.json",
        JsonText.object()
            .put("max_seq_length", texts.maxTokens())
            .put("do_lower_case", texts.lowerCase()));
    ObjectNode sentence = JsonText.object();
    sentence.putObject("prompts");
    sentence.putNull("default_prompt_name").putNull("similarity_fn_name");
    files.json("config_sentence_transformers.json", sentence);
  }

  /**
   * The content of {@code config.json}, with the fields of transformers. Fields with defaults are
   * written too.
   */
  private ObjectNode config() {
    ObjectNode json = JsonText.object();
    String family =
        switch (config.architecture()) {
          case BERT -> "Bert";
          case ROBERTA -> "Roberta";
          case DISTILBERT -> "DistilBert";
        };
    json.putArray("architectures")
        .add(family + (classifies() ? "ForSequenceClassification" : "Model"));
    json.put("model_type", config.architecture().id());
    json.put("vocab_size", config.vocabulary());
    json.put("max_position_embeddings", config.positionRows());
    json.put("pad_token_id", files.padding());
    json.put("initializer_range", 0.02);
    if (config.architecture() == Architecture.DISTILBERT) {
      json.put("dim", config.hidden());
      json.put("n_layers", config.layers());
      json.put("n_heads", config.heads());
      json.put("hidden_dim", config.intermediate());
      json.put("activation", "gelu");
      json.put("sinusoidal_pos_embds", false);
      for (String dropout :
          List.of("dropout", "attention_dropout", "seq_classif_dropout", "qa_dropout")) {
        json.put(dropout, 0.0);
      }
    } else {
      json.put("hidden_size", config.hidden());
      json.put("num_hidden_layers", config.layers());
      json.put("num_attention_heads", config.heads());
      json.put("intermediate_size", config.intermediate());
      json.put("hidden_act", "gelu");
      json.put("type_vocab_size", config.typeVocabulary());
      json.put("position_embedding_type", "absolute");
      // Writes the shortest decimal of the float, not the longer one of the widened double.
      json.put("layer_norm_eps", Double.parseDouble(Float.toString(config.layerNormEps())));
      for (String dropout :
          List.of("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")) {
        json.put(dropout, 0.0);
      }
    }
    ObjectNode names = json.putObject("id2label");
    ObjectNode ids = json.putObject("label2id");
    for (int i = 0; i < adapter.labels().size(); i++) {
      names.put("" + i, adapter.labels().get(i));
      ids.put(adapter.labels().get(i), i);
    }
    if (adapter.labels().size() > 1) {
      // With one label, which a new domain may have, transformers refuses this problem type.
      json.put("problem_type", "single_label_classification");
    }
    return json.put("torch_dtype", "float32");
  }
}
