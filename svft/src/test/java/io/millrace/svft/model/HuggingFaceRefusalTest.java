package io.millrace.svft.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.export.HuggingFaceDirectory;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * An unsupported model is refused with a message that names the cause, before anything is computed
 * or stored.
 */
@Tag("unit")
class HuggingFaceRefusalTest {
  private static final String QUERY = "encoder.layer.1.attention.self.query.weight";

  @TempDir private Path root;
  private Path source;
  private HuggingFaceDirectory bert;

  @BeforeEach
  void places() {
    source = root.resolve("tiny");
    bert = HuggingFaceDirectory.of(Architecture.BERT);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "BERT | model_type | `\"xlm-roberta\"` | supported are bert, roberta, distilbert",
        "BERT | model_type | null | supported are bert, roberta, distilbert",
        "BERT | hidden_act | `\"gelu_new\"` | only \"gelu\" is supported",
        "BERT | hidden_act | `\"relu\"` | only \"gelu\" is supported",
        "DISTILBERT | activation | `\"relu\"` | only \"gelu\" is supported",
        "BERT | position_embedding_type | `\"relative_key\"` | only \"absolute\" is supported",
        "BERT | is_decoder | true | where it is false",
        "BERT | is_decoder | 1 | where it is false",
        "BERT | add_cross_attention | true | where it is false",
        "BERT | num_attention_heads | 3 | it does not divide hidden_size, which is 8",
        "DISTILBERT | n_heads | 3 | it does not divide dim, which is 8",
        "BERT | num_hidden_layers | 0 | it is a whole number from 1 on",
        "BERT | num_hidden_layers | `\"2\"` | it is a whole number from 1 on",
        "BERT | hidden_size | 8.5 | it is a whole number from 1 on",
        "BERT | vocab_size | 4294967308 | it is a whole number from 1 on",
        "BERT | type_vocab_size | 0 | it is a whole number from 1 on",
        "BERT | layer_norm_eps | `\"x\"` | it is a number between 0 and 1",
        "BERT | layer_norm_eps | -1 | it is a number between 0 and 1",
        "ROBERTA | pad_token_id | null | it is a whole number from 0 on",
        "ROBERTA | pad_token_id | 17 | max_position_embeddings is 18",
        "BERT | pruned_heads | {\"0\": [1]} | not supported",
        "BERT | quantization_config | {\"bits\": 8} | not supported",
      })
  void aFieldOfTheConfigIsRefusedWithItsValue(
      Architecture architecture, String field, String value, String why) throws Exception {
    HuggingFaceDirectory directory = HuggingFaceDirectory.of(architecture);
    directory.config.set(field, directory.json.readTree(value));

    String compact = directory.json.readTree(value).toString();
    assertRefused(directory)
        .hasMessageStartingWith(
            source.resolve("config.json") + ": field " + field + " is " + compact)
        .hasMessageContaining(why);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "model_type",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "vocab_size",
        "max_position_embeddings"
      })
  void aFieldThatIsMissingIsNamed(String field) throws Exception {
    bert.config.remove(field);

    assertRefused(bert).hasMessageContaining("config.json: field " + field + " is missing; ");
  }

  @Test
  void moreLayersThanTensorsAreRefusedBeforeAnythingIsSizedByThem() throws Exception {
    bert.config.put("num_hidden_layers", Integer.MAX_VALUE);

    assertRefused(bert)
        .hasMessage(tensors() + " has 37 tensors; config.json says 2147483647 layers");
  }

  @Test
  void aTensorThatIsMissingIsNamed() throws Exception {
    bert.tensors.remove(QUERY);

    assertRefused(bert).hasMessage(tensors() + ": tensor " + QUERY + " is missing");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "encoder.layer.2.output.dense.bias",
        "classifier.weight",
        "roberta.pooler.dense.bias",
        "embeddings.position_ids.weight"
      })
  void aTensorTooManyIsNamed(String name) throws Exception {
    bert.put(new Safetensors.Tensor(name, new long[] {1}, new float[1]));

    assertRefused(bert)
        .hasMessage(
            tensors() + ": tensor " + name + " does not belong to a bert encoder of 2 layers");
  }

  @Test
  void twoTensorsOfOneMeaningAreNamed() throws Exception {
    bert.put(new Safetensors.Tensor("bert." + QUERY, new long[] {8, 8}, new float[64]));

    assertRefused(bert)
        .hasMessage(tensors() + ": tensors bert." + QUERY + " and " + QUERY + " are both " + QUERY);
  }

  @Test
  void aTensorOfAnotherShapeIsNamedWithBothShapes() throws Exception {
    bert.put(new Safetensors.Tensor(QUERY, new long[] {8, 4}, new float[32]));

    assertRefused(bert)
        .hasMessage(tensors() + ": tensor " + QUERY + " has shape [8, 4], expected [8, 8]");
  }

  @Test
  void aTensorOfAnotherTypeIsNamedWithIt() throws Exception {
    bert.put(new Safetensors.IntTensor(QUERY, new long[] {8, 8}, new int[64]));

    assertRefused(bert)
        .hasMessage(tensors() + ": tensor " + QUERY + " is I32; only F32 is supported");
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void aValueThatIsNotFiniteIsNamedWithItsPlace(float value) throws Exception {
    Safetensors.Tensor query = (Safetensors.Tensor) bert.tensors.get(QUERY);
    query.values()[13] = value;

    assertRefused(bert).hasMessage(tensors() + ": tensor " + QUERY + ": value 13 is " + value);
  }

  @Test
  void aTruncatedFileIsNamed() throws Exception {
    bert.write(source);
    byte[] bytes = Files.readAllBytes(tensors());
    Files.write(tensors(), Arrays.copyOf(bytes, bytes.length - 1));

    assertRefused().hasMessageStartingWith(tensors() + ": tensor encoder.layer.1.");
  }

  @ParameterizedTest
  @ValueSource(strings = {"config.json", "model.safetensors", "tokenizer.json"})
  void aFileThatIsMissingIsNamed(String name) throws Exception {
    bert.write(source);
    Files.delete(source.resolve(name));

    assertRefused().hasMessageStartingWith(source.resolve(name) + " is missing; ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"{", "[]", "", "nothing"})
  void aConfigThatIsNoJsonObjectIsNamed(String content) throws Exception {
    bert.file("config.json", content);

    assertRefused(bert).hasMessageStartingWith(source.resolve("config.json") + ": not ");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'pooling_mode_max_tokens': true} | [max, mean]",
        "{'pooling_mode_cls_token': true} | [cls, mean]",
        "{'pooling_mode_mean_tokens': false, 'pooling_mode_lasttoken': true} | [lasttoken]",
        "{'pooling_mode_mean_tokens': true, 'pooling_mode_cls_token': true} | [cls, mean]",
        "{'pooling_mode_mean_sqrt_len_tokens': true, 'pooling_mode_mean_tokens': false} | [mean_sqrt_len]",
        "{'pooling_mode': ['mean', 'max']} | [max, mean]",
        "{'pooling_mode': 'lasttoken'} | [lasttoken]",
        "{'pooling_mode_mean_tokens': false} | []",
      })
  void anotherPoolingIsRefusedByName(String config, String modes) throws Exception {
    bert.file("1_Pooling/config.json", config);

    assertRefused(bert)
        .hasMessageStartingWith(
            source.resolve("1_Pooling/config.json") + ": pooling " + modes + " is not supported");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "sentence_bert_config.json | max_seq_length | 0 | it is a whole number from 1 on",
        "sentence_bert_config.json | max_seq_length | `\"8\"` | it is a whole number from 1 on",
        "sentence_bert_config.json | max_seq_length | 8.5 | it is a whole number from 1 on",
        "sentence_bert_config.json | do_lower_case | 1 | it is true or false",
        "sentence_bert_config.json | model_args | {\"torch_dtype\":\"float16\"} | not supported",
        "sentence_bert_config.json | tokenizer_args | {\"truncation_side\":\"left\"} | not supported",
        "sentence_bert_config.json | transformer_task | `\"fill-mask\"` | only \"feature-extraction\" is",
        "sentence_bert_config.json | module_output_name | `\"sentence_embedding\"` | only \"token_embeddings\"",
        "sentence_bert_config.json | modality_config | {\"text\":{\"method\":\"get_text_features\"}} | only a text's",
        "sentence_bert_config.json | anything | true | not supported",
        "config_sentence_transformers.json | model_type | `\"SparseEncoder\"` | only \"SentenceTransformer\"",
        "config_sentence_transformers.json | default_prompt_name | `\"query\"` | a prompt before every text is",
        "config_sentence_transformers.json | anything | 1 | not supported",
        "1_Pooling/config.json | include_prompt | false | only true is supported",
        "1_Pooling/config.json | anything | [1] | not supported",
        "tokenizer_config.json | model_max_length | -1 | it is a whole number from 1 on",
        "tokenizer_config.json | do_lower_case | true | lowercase of the BertNormalizer in tokenizer.json",
      })
  void aSettingThatChangesVectorsIsRefusedByFileAndField(
      String file, String field, String value, String why) throws Exception {
    bert.tokenizer.putObject("normalizer").put("type", "BertNormalizer").put("lowercase", false);
    bert.file(file, "{'" + field + "': " + value + "}");

    assertRefused(bert)
        .hasMessageStartingWith(source.resolve(file) + ": field " + field + " is " + value)
        .hasMessageContaining(why);
  }

  @Test
  void aDefaultPromptIsRefused() throws Exception {
    bert.file(
        "config_sentence_transformers.json",
        "{'prompts': {'query': 'query: '}, 'default_prompt_name': 'query'}");

    assertRefused(bert).hasMessageContaining("field default_prompt_name is \"query\"");
  }

  @Test
  void aPrefixSpaceThatTheTokenizersFilesDisagreeAboutIsRefused() throws Exception {
    bert.tokenizer.set(
        "pre_tokenizer",
        bert.json.readTree(
            """
            {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel", "add_prefix_space": false,
             "trim_offsets": true, "use_regex": true}]}
            """));
    bert.file(
        "tokenizer_config.json",
        "{'tokenizer_class': 'RobertaTokenizer', 'add_prefix_space': true}");

    assertRefused(bert)
        .hasMessageContaining("tokenizer_config.json: field add_prefix_space is true");
  }

  @Test
  void textsOfWhichNothingWouldBeLeftAreRefused() throws Exception {
    bert.file("sentence_bert_config.json", "{'max_seq_length': 2}");

    assertRefused(bert).hasMessageContaining("texts have at most 2 tokens, of which 2 are special");
  }

  @ParameterizedTest
  @CsvSource({
    "model.safetensors.index.json, in several files",
    "pytorch_model.bin, safe_serialization=True",
    "pytorch_model.bin.index.json, safe_serialization=True",
    "tf_model.h5, from_tf=True",
    "flax_model.msgpack, from_flax=True"
  })
  void anotherFormatIsNamedWithWhatToDo(String name, String what) throws Exception {
    bert.file(name, "{}").write(source);
    Files.delete(tensors());

    assertRefused()
        .hasMessageStartingWith(tensors() + " is missing; the directory has " + name + ": ")
        .hasMessageContaining(what);
  }

  @Test
  void theLayoutBeforeSentenceTransformersOneIsNamedBeforeWhatIsMissing() throws Exception {
    Files.createDirectories(source.resolve("0_Transformer"));
    Files.writeString(
        source.resolve("modules.json"),
        "[{\"type\": \"sentence_transformers.models.Transformer\", \"path\": \"0_Transformer\"}]");

    assertRefused()
        .hasMessageStartingWith(source.resolve("modules.json") + ": the transformer lies in 0_T")
        .hasMessageContaining("before release 1.0");
  }

  @Test
  void aPoolingOfVectorsOfAnotherWidthIsRefused() throws Exception {
    bert.file(
        "1_Pooling/config.json",
        "{'word_embedding_dimension': 384, 'pooling_mode_mean_tokens': true}");

    assertRefused(bert).hasMessageContaining("the vectors pooled are 384 wide, the encoder's 8");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "[{'type': 'a.b.Dense', 'path': '2_Dense'}] | module \"a.b.Dense\" is not supported",
        "[{'type': 'a.b.Transformer', 'path': '0_T'}] | the transformer lies in 0_T",
        "[{'type': 'a.b.Transformer', 'path': ''}] | there is no Pooling module",
        "[{'type': 'a.b.Pooling', 'path': '../x'}] | not ../x",
        "[{'type': 'a.b.Pooling', 'path': '/x'}] | not /x",
        "[ | not JSON",
      })
  void modulesThatAreNotSupportedAreNamed(String modules, String why) throws Exception {
    bert.file("modules.json", modules);

    assertRefused(bert)
        .hasMessageStartingWith(source.resolve("modules.json") + ": ")
        .hasMessageContaining(why);
  }

  @Test
  void aPoolingWhoseFileIsMissingIsNamed() throws Exception {
    bert.file("modules.json", "[{'type': 'a.b.Pooling', 'path': '1_Pooling'}]");

    assertRefused(bert).hasMessage(source.resolve("1_Pooling/config.json") + " is missing");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "/model/vocab/streams | 12 | model.vocab",
        "/model/vocab/a | 9999999999 | model.vocab",
        "/added_tokens/3/id | 4000 | added_tokens",
        "/post_processor/sep/1 | 102 | post_processor",
      })
  void anIdBeyondTheVocabularyIsRefusedWithBothNumbers(String pointer, String id, String field)
      throws Exception {
    var node = bert.tokenizer.at(pointer.substring(0, pointer.lastIndexOf('/')));
    String last = pointer.substring(pointer.lastIndexOf('/') + 1);
    if (node.isArray()) {
      ((ArrayNode) node).set(Integer.parseInt(last), bert.json.readTree(id));
    } else {
      ((ObjectNode) node).set(last, bert.json.readTree(id));
    }

    assertRefused(bert)
        .hasMessage(
            "%s does not fit the vocabulary: its largest id is %s (in %s), the word embedding has 12 rows"
                .formatted(source.resolve("tokenizer.json"), id, field));
  }

  @ParameterizedTest
  @ValueSource(strings = {"-1", "1.5", "null", "\"1\"", "99999999999999999999"})
  void anIdThatIsNoneIsRefused(String id) throws Exception {
    var vocabulary = (ObjectNode) bert.tokenizer.at("/model/vocab");
    vocabulary.set("a", bert.json.readTree(id));

    assertRefused(bert)
        .hasMessage(
            "%s: not a tokenizer: model.vocab holds the id %s"
                .formatted(source.resolve("tokenizer.json"), id));
  }

  @Test
  void aSpecialTokenOfATemplateBeyondTheVocabularyIsRefused() throws Exception {
    bert.tokenizer.set(
        "post_processor",
        bert.json.readTree(
            """
            {"type": "Sequence", "processors": [{"type": "TemplateProcessing",
             "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [12], "tokens": ["[CLS]"]}}}]}
            """));

    assertRefused(bert).hasMessageContaining("its largest id is 12 (in post_processor)");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"{", "{}", "[]", "{'model': {'vocab': {}}}", "{'model': {'vocab': {'a': 1}}}"})
  void aTokenizerThatIsNoneIsNamed(String content) throws Exception {
    bert.file("tokenizer.json", content);

    assertRefused(bert)
        .hasMessageStartingWith(source.resolve("tokenizer.json") + ": not a tokenizer");
  }

  private Path tensors() {
    return source.resolve("model.safetensors");
  }

  private AbstractThrowableAssert<?, ?> assertRefused(HuggingFaceDirectory directory)
      throws IOException {
    directory.write(source);
    return assertRefused();
  }

  /** The message is one line, and the store holds nothing but the lock file. */
  private AbstractThrowableAssert<?, ?> assertRefused() throws IOException {
    Path store = root.resolve("store");
    var refused =
        assertThatThrownBy(
                () ->
                    new ModelStore(store)
                        .prepare(
                            source.toString(),
                            (model, done, total) -> {
                              throw new AssertionError("began to factorise");
                            }))
            .isInstanceOf(ModelException.class);
    refused.message().doesNotContain("\n");
    if (Files.exists(store)) {
      try (var left = Files.list(store)) {
        assertThat(left.map(path -> path.getFileName().toString()).toList())
            .allMatch(name -> name.endsWith(".lock"));
      }
    }
    return refused;
  }
}
