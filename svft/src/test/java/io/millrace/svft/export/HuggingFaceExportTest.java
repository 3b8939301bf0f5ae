package io.millrace.svft.export;

import static io.millrace.svft.export.TrainedAdapters.assertSamePredictions;
import static io.millrace.svft.export.TrainedAdapters.trained;
import static io.millrace.svft.export.TrainedAdapters.trainer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.adapter.Classifier;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.task.Head;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.Sha256;
import io.millrace.svft.training.RandomState;
import io.millrace.svft.training.Trainer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Reads exported directories with the names of transformers and without Millrace's arithmetic. */
@Tag("integration")
@ExtendWith(Models.class)
class HuggingFaceExportTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final List<String> TINY_TEXTS =
      List.of("a stream of examples", "turn", "s into a stream", "examples examples turn of a");
  private static final List<String> TEXTS = Sentences.ALL.subList(20, 40);

  @TempDir private Path root;

  @ParameterizedTest
  @CsvSource({
    "BERT, cls, 3",
    "BERT, mean, 3",
    "BERT, cls, 9",
    "BERT, cls, 1",
    "ROBERTA, cls, 3",
    "ROBERTA, mean, 3",
    "DISTILBERT, cls, 4",
    "DISTILBERT, mean, 3",
    "DISTILBERT, cls, 5"
  })
  void logitsOfEveryFamilyAreTheClassifiers(Architecture family, String pooling, int labels)
      throws Exception {
    try (BaseModel base = tiny(family, pooling)) {
      Adapter adapter = trained(base, "svft:banded:1", labels, TINY_TEXTS);

      Path exported = export(base, adapter);

      assertSamePredictions(base, adapter, exported, TINY_TEXTS);
      JsonNode config = read(exported, "config.json");
      assertThat(config.path("id2label").size()).isEqualTo(labels);
      assertThat(config.has("problem_type")).isEqualTo(labels > 1);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:plain",
        "svft:plain;rank=3",
        "svft:banded:2",
        "svft:random:1:7",
        "svft:top-k:1",
        "svft:gradient:1",
        "lora:2",
        "lora:2;scaling=root-rank",
        "pissa:2",
        "dora:2",
        "vera:4",
        "lora-xs:3",
        "oft:2",
        "boft:2",
        "hra:2",
        "ia3;weights=query+output",
        "bias",
        "norms",
        "full",
        "full;weights=query",
        "head"
      })
  void everyMethodIsMerged(String method) throws Exception {
    Set<WeightRole> factored = AdapterMethod.parse(method).factored();
    try (BaseModel base = tiny(Architecture.BERT, "cls", factored)) {
      Adapter adapter = trained(base, method, 3, TINY_TEXTS);

      Path exported = export(base, adapter);

      assertSamePredictions(base, adapter, exported, TINY_TEXTS);
      String value = "encoder.layer.1.attention.self.query.weight";
      float[] before =
          Safetensors.open(base.directory().resolve("model.safetensors")).floats(value);
      float[] after =
          Safetensors.open(exported.resolve("model.safetensors")).floats("bert." + value);
      assertThat(Arrays.equals(before, after))
          .isEqualTo(Set.of("head", "bias", "norms").contains(method));
    }
  }

  /** Before that, M is zero and only the head has been trained. */
  @Test
  void aGradientPatternThatHasNotChosenYetIsMerged() throws Exception {
    try (BaseModel base = tiny(Architecture.BERT, "cls")) {
      Adapter adapter = trained(base, "svft:gradient:1", 3, TINY_TEXTS, 1);
      assertThat(adapter.values()).isEmpty();

      assertSamePredictions(base, adapter, export(base, adapter), TINY_TEXTS);
    }
  }

  /** The texts spell the token from whose id RoBERTa's positions are counted. */
  @ParameterizedTest
  @ValueSource(strings = {"cls", "mean"})
  void aTextThatSpellsThePaddingTokenHasTheLogitsOfTheExport(String pooling) throws Exception {
    Path source = copy("/models/roberta", root.resolve("roberta-" + pooling));
    Files.createDirectory(source.resolve("1_Pooling"));
    Files.writeString(
        source.resolve("1_Pooling/config.json"), "{\"pooling_mode\": \"" + pooling + "\"}");
    List<String> texts =
        List.of(
            "<pad><pad> awful smell", "<pad>", "it works <pad> very well", "a <mask> b", "soft");
    try (BaseModel base = load(source, WeightRole.all())) {
      Adapter adapter = trained(base, "svft:banded:1", 2, texts);

      assertSamePredictions(base, adapter, export(base, adapter), texts);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "BERT, cls",
    "BERT, mean",
    "ROBERTA, cls",
    "ROBERTA, mean",
    "DISTILBERT, cls",
    "DISTILBERT, mean"
  })
  void anExportIsABaseModelAgain(Architecture family, String pooling) throws Exception {
    try (BaseModel base = tiny(family, pooling)) {
      Adapter adapter = trained(base, "svft:banded:1", 3, TINY_TEXTS);
      Path exported = export(base, adapter);
      try (BaseModel again = load(exported, WeightRole.all());
          Trainer head = trainer(again, "head");
          Classifier classifier = new Classifier(base, adapter)) {
        assertThat(again.config()).isEqualTo(base.config());
        assertThat(again.texts()).isEqualTo(base.texts());
        assertThat(again.tokenize(TINY_TEXTS)).isDeepEqualTo(base.tokenize(TINY_TEXTS));
        float[] vectors = RandomState.embed(again, head.initialState(), again.tokenize(TINY_TEXTS));
        float[][] logits = classifier.logits(TINY_TEXTS);
        int hidden = base.config().hidden();
        for (int t = 0; t < logits.length; t++) {
          float[] vector = Arrays.copyOfRange(vectors, t * hidden, (t + 1) * hidden);
          assertThat(scores(adapter, vector)).containsExactly(logits[t], within(1e-4f));
        }
      }
    }
  }

  private static float[] scores(Adapter adapter, float[] vector) {
    float[] weights = Head.weights(adapter.head(), vector.length);
    float[] scores = Head.biases(adapter.head(), vector.length).clone();
    for (int label = 0; label < scores.length; label++) {
      for (int i = 0; i < vector.length; i++) {
        scores[label] += weights[label * vector.length + i] * vector[i];
      }
    }
    return scores;
  }

  /** A base model that reads texts in lower case and truncates them to 8 tokens. */
  @Test
  void theExportTreatsTextsAsTheBaseModelDoes() throws Exception {
    List<String> texts =
        List.of("Great VALUE for money", "It broke after a day and I did not buy it");
    try (BaseModel base = load(copy("/models/st-lower", root.resolve("lower")), WeightRole.all())) {
      Adapter adapter = trained(base, "svft:banded:1", 2, texts);

      Path exported = export(base, adapter);

      assertSamePredictions(base, adapter, exported, texts);
      JsonNode settings = read(exported, "sentence_bert_config.json");
      assertThat(settings.path("max_seq_length").asInt()).isEqualTo(8);
      assertThat(settings.path("do_lower_case").asBoolean()).isTrue();
      assertThat(Files.readString(exported.resolve("README.md")))
          .contains("cut at 8 tokens", "lower case");
    }
  }

  private static Path copy(String resource, Path directory) throws Exception {
    Path source = Path.of(HuggingFaceExportTest.class.getResource(resource).toURI());
    try (Stream<Path> files = Files.walk(source)) {
      for (Path file : files.toList()) {
        Files.copy(file, directory.resolve(source.relativize(file).toString()));
      }
    }
    return directory;
  }

  @Test
  void miniLmIsTheEncoderWithItsHeadBeside(@Models.MiniLm BaseModel base) throws Exception {
    Adapter adapter = trained(base, "svft:plain", 3, TEXTS);

    Path exported = export(base, adapter);

    assertSamePredictions(base, adapter, exported, TEXTS);
    JsonNode modules = read(exported, "modules.json");
    assertThat(modules.findValuesAsText("path")).containsExactly("", "1_Pooling", "2_Dense");
    assertThat(modules.findValuesAsText("type"))
        .containsExactly(
            "sentence_transformers.models.Transformer",
            "sentence_transformers.models.Pooling",
            "sentence_transformers.models.Dense");
    assertThat(read(exported, "sentence_bert_config.json").path("max_seq_length").asInt())
        .isEqualTo(128);
    assertThat(JSON.readTree(metadata(exported, "head.safetensors").get("labels")))
        .extracting(JsonNode::asText)
        .containsExactlyElementsOf(adapter.labels());
  }

  @Test
  void bgeSmallIsASequenceClassificationModel(@Models.BgeSmall BaseModel base) throws Exception {
    Adapter adapter = trained(base, "svft:banded:1", 3, TEXTS);

    Path exported = export(base, adapter);

    assertSamePredictions(base, adapter, exported, TEXTS);
    assertThat(exported.resolve("modules.json")).doesNotExist();
  }

  @ParameterizedTest
  @EnumSource(Architecture.class)
  void tensorsAreThoseTransformersExpects(Architecture family) throws Exception {
    for (String pooling : List.of("cls", "mean")) {
      try (BaseModel base = tiny(family, pooling)) {
        Path exported = export(base, trained(base, "svft:plain", 3, TINY_TEXTS));

        Safetensors file = Safetensors.open(exported.resolve("model.safetensors"));

        assertThat(new TreeSet<>(file.names())).isEqualTo(expectedNames(family, pooling));
        assertThat(file.names()).isSorted();
        assertThat(metadata(exported, "model.safetensors")).isEqualTo(Map.of("format", "pt"));
      }
    }
  }

  /** The tensors of a model class with two layers, as named in transformers' state_dict. */
  private static Set<String> expectedNames(Architecture family, String pooling) {
    boolean distil = family == Architecture.DISTILBERT;
    boolean classifies = pooling.equals("cls");
    List<String> modules = new ArrayList<>(List.of("embeddings.LayerNorm"));
    String layer = distil ? "transformer.layer." : "encoder.layer.";
    String parts =
        distil
            ? "attention.q_lin attention.k_lin attention.v_lin attention.out_lin sa_layer_norm ffn.lin1 ffn.lin2 output_layer_norm"
            : "attention.self.query attention.self.key attention.self.value attention.output.dense attention.output.LayerNorm intermediate.dense output.dense output.LayerNorm";
    for (String part : parts.split(" ")) {
      modules.add(layer + "0." + part);
      modules.add(layer + "1." + part);
    }
    if (family == Architecture.BERT || (!classifies && !distil)) {
      modules.add("pooler.dense");
    }
    Set<String> names =
        modules.stream()
            .flatMap(module -> Stream.of(module + ".weight", module + ".bias"))
            .collect(Collectors.toCollection(TreeSet::new));
    names.add("embeddings.word_embeddings.weight");
    names.add("embeddings.position_embeddings.weight");
    if (!distil) {
      names.add("embeddings.token_type_embeddings.weight");
    }
    if (!classifies) {
      return names;
    }
    String prefix = family.id() + ".";
    Set<String> all =
        names.stream().map(prefix::concat).collect(Collectors.toCollection(TreeSet::new));
    String head =
        switch (family) {
          case BERT -> "classifier";
          case ROBERTA -> "classifier.dense classifier.out_proj";
          case DISTILBERT -> "pre_classifier classifier";
        };
    for (String module : head.split(" ")) {
      all.add(module + ".weight");
      all.add(module + ".bias");
    }
    return all;
  }

  @Test
  void theConfigurationSaysWhatAModelNeeds() throws Exception {
    try (BaseModel base = tiny(Architecture.ROBERTA, "cls")) {
      JsonNode config =
          read(export(base, trained(base, "svft:plain", 3, TINY_TEXTS)), "config.json");

      assertThat(config)
          .isEqualTo(
              JSON.readTree(
                  """
                  {"architectures": ["RobertaForSequenceClassification"], "model_type": "roberta",
                   "vocab_size": 12, "max_position_embeddings": 18, "pad_token_id": 1,
                   "initializer_range": 0.02, "hidden_size": 8, "num_hidden_layers": 2,
                   "num_attention_heads": 2, "intermediate_size": 12, "hidden_act": "gelu",
                   "type_vocab_size": 1, "position_embedding_type": "absolute",
                   "layer_norm_eps": 1e-5, "hidden_dropout_prob": 0.0,
                   "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.0,
                   "id2label": {"0": "label 0", "1": "label 1", "2": "label 2"},
                   "label2id": {"label 0": 0, "label 1": 1, "label 2": 2},
                   "problem_type": "single_label_classification", "torch_dtype": "float32"}
                  """));
    }
  }

  @Test
  void longTextsAreCutAsMillraceCutsThemAndNothingIsPadded(@Models.MiniLm BaseModel base)
      throws Exception {
    Path exported = export(base, trained(base, "head", 3, TEXTS));
    String longText = String.join(" ", Sentences.ALL.subList(40, 60));

    JsonNode tokenizer = read(exported, "tokenizer.json");
    JsonNode settings = read(exported, "tokenizer_config.json");

    assertThat(tokenizer.path("padding").isNull()).isTrue();
    assertThat(tokenizer.path("truncation").path("max_length").asInt()).isEqualTo(128);
    assertThat(settings.path("model_max_length").asInt()).isEqualTo(128);
    assertThat(settings.path("tokenizer_class").asText()).isEqualTo("PreTrainedTokenizerFast");
    assertThat(read(exported, "special_tokens_map.json"))
        .isEqualTo(
            JSON.readTree(
                """
                {"unk_token": "[UNK]", "sep_token": "[SEP]", "cls_token": "[CLS]",
                 "mask_token": "[MASK]", "pad_token": "[PAD]"}
                """));
    try (ExportedModel model = new ExportedModel(exported)) {
      for (String text : List.of("Hi!", longText)) {
        assertThat(model.tokenize(text)).isEqualTo(base.tokenize(List.of(text))[0]);
      }
      assertThat(model.tokenize(longText)).hasSize(128);
    }
  }

  @Test
  void theSameAdapterGivesTheSameBytesAndSaysWhichItIs() throws Exception {
    try (BaseModel base = tiny(Architecture.BERT, "mean")) {
      Adapter adapter = trained(base, "lora:2", 3, TINY_TEXTS);

      Map<String, String> one = hashes(export(base, adapter));
      Path again = export(base, adapter);

      assertThat(hashes(again)).isEqualTo(one);
      assertThat(one)
          .containsOnlyKeys(
              "1_Pooling/config.json",
              "2_Dense/config.json",
              "2_Dense/model.safetensors",
              "README.md",
              "config.json",
              "config_sentence_transformers.json",
              "head.safetensors",
              "millrace.json",
              "model.safetensors",
              "modules.json",
              "sentence_bert_config.json",
              "special_tokens_map.json",
              "tokenizer.json",
              "tokenizer_config.json");
      JsonNode provenance = read(again, HuggingFaceExport.PROVENANCE);
      assertThat(provenance.path("sha256").asText()).isEqualTo(adapter.sha256());
      assertThat(provenance.path("parentSha256").asText()).isEqualTo("ab".repeat(32));
      assertThat(provenance.path("domain").asText()).isEqualTo("re\"views");
      assertThat(provenance.path("version").asLong()).isEqualTo(7);
      assertThat(provenance.path("baseSha256").asText()).isEqualTo(base.baseSha256());
      assertThat(provenance.path("method").asText()).isEqualTo("lora:2;alpha=4");
      assertThat(Files.readString(again.resolve("README.md"))).contains(adapter.sha256());
    }
  }

  @Test
  void anAdapterOfAnotherBaseOrWithoutLabelsIsRefused() throws Exception {
    try (BaseModel base = tiny(Architecture.BERT, "cls");
        BaseModel other = tiny(Architecture.ROBERTA, "cls");
        Trainer trainer = trainer(base, "head")) {
      Adapter foreign = trained(other, "head", 3, TINY_TEXTS);
      Adapter unlabelled = trainer.initialState().toAdapter(base, "reviews", 1, "");

      assertThatThrownBy(() -> export(base, foreign))
          .isInstanceOf(AdapterException.class)
          .hasMessageContaining("was trained on the base model");
      assertThatThrownBy(() -> export(base, unlabelled))
          .isInstanceOf(AdapterException.class)
          .hasMessage("adapter reviews@1 has no labels: there is nothing to predict");
    }
  }

  private BaseModel tiny(Architecture family, String pooling) throws IOException {
    return tiny(family, pooling, WeightRole.all());
  }

  private BaseModel tiny(Architecture family, String pooling, Set<WeightRole> factored)
      throws IOException {
    return TrainedAdapters.tiny(root, family, pooling, factored);
  }

  private BaseModel load(Path directory, Set<WeightRole> factored) {
    return TrainedAdapters.load(root, directory, factored);
  }

  private Path export(BaseModel base, Adapter adapter) throws IOException {
    Path directory = Files.createTempDirectory(root, "export");
    HuggingFaceExport.write(base, adapter, directory);
    return directory;
  }

  private static JsonNode read(Path directory, String file) throws IOException {
    return JSON.readTree(directory.resolve(file).toFile());
  }

  private static Map<String, String> metadata(Path directory, String file) throws IOException {
    return Safetensors.open(directory.resolve(file)).metadata();
  }

  private static Map<String, String> hashes(Path directory) throws IOException {
    Map<String, String> hashes = new TreeMap<>();
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        hashes.put(directory.relativize(file).toString(), Sha256.of(file));
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    return hashes;
  }
}
