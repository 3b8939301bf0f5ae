package io.millrace.svft.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.svft.export.HuggingFaceDirectory;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The import of supported directories, and the content of the store afterwards. */
@Tag("unit")
class HuggingFaceImportTest {
  @TempDir private Path root;
  private Path source;
  private ModelStore store;

  @BeforeEach
  void places() {
    source = root.resolve("tiny");
    store = new ModelStore(root.resolve("store"));
  }

  @ParameterizedTest
  @EnumSource(Architecture.class)
  void theStoreHoldsTheTensorsUnderTheirOwnNamesAndABasisOfEveryWeight(Architecture architecture)
      throws Exception {
    HuggingFaceDirectory directory = HuggingFaceDirectory.of(architecture);
    directory.write(source);

    ModelFiles files = prepare();

    assertThat(files.config()).isEqualTo(HuggingFaceDirectory.shape(architecture));
    Safetensors model = Safetensors.open(files.model());
    assertThat(model.names())
        .containsExactlyElementsOf(files.config().tensors().keySet().stream().sorted().toList());
    directory
        .tensors
        .values()
        .forEach(
            t ->
                assertThat(model.floats(t.name(), t.shape()))
                    .containsExactly(((Safetensors.Tensor) t).values()));
    Safetensors basis = Safetensors.open(files.basis());
    assertThat(basis.names()).hasSize(3 * 12).isSorted();
    for (EncoderWeight w : files.config().weights()) {
      assertProduct(basis, w, model.floats(w.name() + ".weight", w.out(), w.in()));
    }
    assertThat(Files.readAllBytes(files.tokenizer()))
        .isEqualTo(Files.readAllBytes(source.resolve("tokenizer.json")));
  }

  private static void assertProduct(Safetensors basis, EncoderWeight w, float[] weight) {
    int n = w.rank();
    float[] u = basis.floats(w.name() + ".U", w.out(), n);
    float[] s = basis.floats(w.name() + ".S", n);
    float[] vt = basis.floats(w.name() + ".Vt", n, w.in());
    for (int o = 0; o < w.out(); o++) {
      for (int i = 0; i < w.in(); i++) {
        double sum = 0;
        for (int k = 0; k < n; k++) {
          sum += (double) u[o * n + k] * s[k] * vt[k * w.in() + i];
        }
        assertThat(sum).as(w.name()).isCloseTo(weight[o * w.in() + i], within(1e-5));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Architecture.class)
  void aTaskModelsPrefixAndOldNamesOfNormalisationsChangeNothing(Architecture architecture)
      throws Exception {
    HuggingFaceDirectory.of(architecture).write(source);
    ModelFiles plain = prepare();
    HuggingFaceDirectory other = HuggingFaceDirectory.of(architecture);
    for (String name : List.copyOf(other.tensors.keySet())) {
      boolean norm = name.matches(".*(LayerNorm|layer_norm)\\..*");
      String old = norm ? name.replace(".weight", ".gamma").replace(".bias", ".beta") : name;
      other.rename(name, architecture.id() + "." + old);
    }
    source = other.write(root.resolve("old"));

    ModelFiles old = prepare();

    assertThat(old.baseSha256()).isEqualTo(plain.baseSha256());
    assertThat(old.basisSha256()).isEqualTo(plain.basisSha256());
  }

  @Test
  void whatIsNotTheEncodersIsLeftOutAndListed() throws Exception {
    HuggingFaceDirectory directory = HuggingFaceDirectory.of(Architecture.BERT);
    directory.write(source);
    String plain = prepare().baseSha256();
    String[] others = {
      "bert.pooler.dense.weight",
      "cls.predictions.bias",
      "lm_head.bias",
      "vocab_transform.weight",
      "vocab_layer_norm.bias",
      "vocab_projector.weight"
    };
    for (String name : others) {
      directory.put(new Safetensors.Tensor(name, new long[] {2}, new float[] {1, Float.NaN}));
    }
    directory.put(
        new Safetensors.IntTensor("embeddings.position_ids", new long[] {1, 3}, new int[3]));
    directory.write(source);

    ModelFiles files = prepare();

    assertThat(files.baseSha256()).isEqualTo(plain);
    JsonNode description =
        new ObjectMapper().readTree(files.directory().resolve("model.json").toFile());
    assertThat(description.path("leftOut"))
        .extracting(JsonNode::asText)
        .containsExactlyInAnyOrder(
            "bert.pooler.dense.weight",
            "cls.predictions.bias",
            "embeddings.position_ids",
            "lm_head.bias",
            "vocab_layer_norm.bias",
            "vocab_projector.weight",
            "vocab_transform.weight");
    assertThat(description.path("importedFileSha256").asText())
        .isEqualTo(Sha256.of(source.resolve("model.safetensors")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'pooling_mode_cls_token': true, 'pooling_mode_mean_tokens': false} | FIRST_TOKEN",
        "{'pooling_mode_cls_token': false, 'pooling_mode_mean_tokens': true} | MEAN",
        "{'word_embedding_dimension': 8} | MEAN",
        "{'pooling_mode': 'cls', 'pooling_mode_mean_tokens': true} | FIRST_TOKEN",
        "{'pooling_mode_mean_tokens': true, 'include_prompt': true} | MEAN",
        "{'embedding_dimension': 8, 'pooling_mode': 'cls'} | FIRST_TOKEN",
        "{'pooling_mode': 'mean', 'pooling_mode_mean_tokens': true} | MEAN",
        "{'pooling_mode': ['cls']} | FIRST_TOKEN",
      })
  void thePoolingIsThatOfSentenceTransformers(String config, Pooling pooling) throws Exception {
    HuggingFaceDirectory.of(Architecture.BERT).file("1_Pooling/config.json", config).write(source);

    assertThat(prepare().config().pooling()).isEqualTo(pooling);
  }

  @Test
  void modulesSayWhereThePoolingIs() throws Exception {
    HuggingFaceDirectory.of(Architecture.BERT)
        .file(
            "modules.json",
            """
            [{'idx': 0, 'name': '0', 'path': '', 'type': 'sentence_transformers.models.Transformer'},
             {'idx': 1, 'name': '1', 'path': '7_P', 'type': 'sentence_transformers.models.Pooling'},
             {'idx': 2, 'name': '2', 'path': '2_N', 'type': 'sentence_transformers.models.Normalize'}]
            """)
        .file("7_P/config.json", "{'pooling_mode': 'cls'}")
        .write(source);

    assertThat(prepare().config().pooling()).isEqualTo(Pooling.FIRST_TOKEN);
  }

  @Test
  void theNameIsTheDirectorysAndTheBeginningOfTheHashOfItsTensors() throws Exception {
    HuggingFaceDirectory.of(Architecture.BERT).write(source);

    ModelFiles files = prepare();

    String hash = Sha256.of(source.resolve("model.safetensors"));
    assertThat(files.name()).isEqualTo("tiny-" + hash.substring(0, 12));
    assertThat(files.directory()).isEqualTo(root.resolve("store").resolve(files.name()));
  }

  @Test
  void theSecondTimeTheStoresCopyIsOpenedByPathAndByNameAlsoWithoutTheDirectory() throws Exception {
    HuggingFaceDirectory.of(Architecture.BERT).write(source);
    ModelFiles first = prepare();

    ModelFiles again = store.prepare(source + "/./", HuggingFaceImportTest::failOnImport);
    Files.move(source, root.resolve("gone"), StandardCopyOption.ATOMIC_MOVE);
    ModelFiles byName = store.prepare(first.name(), HuggingFaceImportTest::failOnImport);

    assertThat(again).isEqualTo(first);
    assertThat(byName).isEqualTo(first);
  }

  @Test
  void aTokenizerThatChangedSinceIsNotPassedOver() throws Exception {
    HuggingFaceDirectory directory = HuggingFaceDirectory.of(Architecture.BERT);
    directory.write(source);
    ModelFiles files = prepare();
    directory.tokenizer.put("version", "1.1");
    directory.write(source);

    assertThatThrownBy(this::prepare)
        .isInstanceOf(ModelException.class)
        .hasMessageStartingWith(source + ": its tokenizer.json has changed since it was imported")
        .hasMessageContaining("delete " + files.directory());
  }

  @Test
  void aPoolingThatChangedSinceIsNotPassedOver() throws Exception {
    HuggingFaceDirectory directory = HuggingFaceDirectory.of(Architecture.BERT);
    directory.write(source);
    prepare();
    directory.file("1_Pooling/config.json", "{'pooling_mode': 'cls'}").write(source);

    assertThatThrownBy(this::prepare)
        .isInstanceOf(ModelException.class)
        .hasMessageStartingWith(source + ": its configuration has changed since it was imported");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "sentence_bert_config.json | {'max_seq_length': 8, 'do_lower_case': true} | 8 | true",
        "sentence_roberta_config.json | {'max_seq_length': 8} | 8 | false",
        "sentence_bert_config.json | {'max_seq_length': null, 'do_lower_case': false} | 16 | false",
        "sentence_bert_config.json | {'max_seq_length': 512} | 16 | false",
        "sentence_bert_config.json | {'transformer_task': 'feature-extraction', 'tokenizer_args': {}} | 16 | false",
        "tokenizer_config.json | {'model_max_length': 9} | 9 | false",
        "tokenizer_config.json | {'model_max_length': 1000000000000000019884624838656} | 16 | false",
        "tokenizer_config.json | {'model_max_length': 1e30} | 16 | false",
      })
  void whatItsFilesSayAboutTextsIsKept(String file, String content, int longest, boolean lower)
      throws Exception {
    HuggingFaceDirectory.of(Architecture.BERT).file(file, content).write(source);

    TextSettings texts = prepare().texts();

    assertThat(texts).isEqualTo(new TextSettings(longest, lower));
    assertThat(prepare().texts()).isEqualTo(texts);
    ModelFiles files = prepare();
    boolean usual = longest == 16 && !lower;
    assertThat(files.textsSha256().equals(files.tokenizerSha256())).isEqualTo(usual);
  }

  @Test
  void tokenizerFilesThatMeanTheSameAgree() throws Exception {
    HuggingFaceDirectory directory = HuggingFaceDirectory.of(Architecture.BERT);
    directory.tokenizer.set(
        "normalizer",
        directory.json.readTree(
            """
            {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
             "strip_accents": false, "lowercase": false}
            """));
    directory
        .file(
            "tokenizer_config.json",
            "{'do_lower_case': false, 'strip_accents': null, 'tokenize_chinese_chars': true}")
        .write(source);

    assertThat(prepare().texts()).isEqualTo(new TextSettings(16, false));
  }

  @Test
  void theLongestSequenceIsTheTransformersBeforeTheTokenizers() throws Exception {
    HuggingFaceDirectory.of(Architecture.BERT)
        .file("sentence_bert_config.json", "{'max_seq_length': 12}")
        .file("tokenizer_config.json", "{'model_max_length': 9}")
        .write(source);

    assertThat(prepare().texts().maxTokens()).isEqualTo(12);
  }

  @Test
  void anEmptyPromptAndPromptsThatAreNotTheDefaultAreNoObstacle() throws Exception {
    HuggingFaceDirectory.of(Architecture.BERT)
        .file(
            "config_sentence_transformers.json",
            """
            {'__version__': {'sentence_transformers': '5.1.0'}, 'model_type': 'SentenceTransformer',
             'prompts': {'query': 'query: ', 'document': ''}, 'default_prompt_name': 'document',
             'similarity_fn_name': 'cosine'}
            """)
        .write(source);

    assertThat(prepare().config()).isEqualTo(HuggingFaceDirectory.shape(Architecture.BERT));
  }

  @Test
  void settingsForTextsThatChangedSinceAreNotPassedOver() throws Exception {
    HuggingFaceDirectory directory = HuggingFaceDirectory.of(Architecture.BERT);
    directory.write(source);
    prepare();
    directory.file("sentence_bert_config.json", "{'max_seq_length': 8}").write(source);

    assertThatThrownBy(this::prepare)
        .isInstanceOf(ModelException.class)
        .hasMessageStartingWith(
            source + ": its treatment of texts has changed since it was imported")
        .hasMessageContaining("maxTokens=8");
  }

  @ParameterizedTest
  @CsvSource({"e, 240", "\u00e9, 127"})
  void aDirectoryMayHaveTheLongestName(String letter, int times) throws Exception {
    source = root.resolve(letter.repeat(times));
    HuggingFaceDirectory.of(Architecture.BERT).write(source);

    ModelFiles files = prepare();

    assertThat(files.name()).startsWith(letter.repeat(100)).matches(".*-[0-9a-f]{12}");
    assertThat(prepare()).isEqualTo(files);
  }

  private static void failOnImport(String model, int done, int total) {
    throw new AssertionError("imported " + model + " again");
  }

  private ModelFiles prepare() {
    return store.prepare(source.toString(), (model, done, total) -> {});
  }
}
