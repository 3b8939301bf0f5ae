package io.millrace.svft.export;

import static io.millrace.svft.export.TrainedAdapters.trained;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.adapter.Classifier;
import io.millrace.svft.adapter.PeftLora;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.training.Trainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a domain can start from, and what is refused of it. */
@Tag("unit")
class PeftLoraTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final List<String> TEXTS = List.of("a stream of examples", "turn", "s into a");
  private static final String QUERY = "base_model.model.encoder.layer.0.attention.self.query";

  @TempDir private Path root;

  private BaseModel base;
  private Path directory;

  @BeforeEach
  void export() throws Exception {
    base = TrainedAdapters.tiny(root, Architecture.BERT, "mean", Set.of());
    directory = Files.createDirectory(root.resolve("peft"));
    PeftExport.write(base, trained(base, "lora:2", 3, TEXTS), directory);
  }

  @AfterEach
  void close() {
    base.close();
  }

  @ParameterizedTest
  @CsvSource({
    "BERT, cls, lora:2",
    "BERT, mean, lora:3;alpha=2.5;scaling=root-rank;weights=key+output",
    "ROBERTA, cls, lora:2;weights=query+value",
    "DISTILBERT, cls, lora:2",
    "DISTILBERT, mean, lora:2"
  })
  void anExportScoresAsTheVersionThatWasExported(Architecture family, String pooling, String method)
      throws Exception {
    try (BaseModel model = TrainedAdapters.tiny(root, family, pooling, Set.of());
        Trainer trainer = TrainedAdapters.trainer(model, method)) {
      Adapter adapter = trained(model, method, 3, TEXTS);
      Path export = Files.createDirectory(root.resolve("export"));
      PeftExport.write(model, adapter, export);

      PeftLora read = PeftLora.of(PeftLora.Content.of(export), model.config(), model.baseSha256());

      assertThat(read.notes()).isEmpty();
      Adapter start = trainer.initialState(read).toAdapter(model, "d", 1, "");
      assertThat(start.labels()).isEqualTo(adapter.labels());
      assertThat(start.steps()).isZero();
      try (Classifier was = new Classifier(model, adapter);
          Classifier is = new Classifier(model, start)) {
        assertThat(is.logits(TEXTS)).isDeepEqualTo(was.logits(TEXTS));
      }
    }
  }

  /** With the layers of a sequence-classification model, and no head beside. */
  @Test
  void anAdapterOfAnotherOriginBeginsWithoutLabels() throws Exception {
    Map<String, Safetensors.AnyTensor> tensors = new TreeMap<>();
    Safetensors file = Safetensors.open(directory.resolve("adapter_model.safetensors"));
    for (String name : file.names()) {
      String task = name.replace("base_model.model.", "base_model.model.bert.");
      tensors.put(task, new Safetensors.StoredTensor(task, file, name));
    }
    for (String name : List.of("classifier.weight", "bert.pooler.dense.weight")) {
      String saved = "base_model.model." + name;
      tensors.put(saved, new Safetensors.Tensor(saved, new long[] {1}, new float[1]));
    }
    write(tensors);
    Files.delete(directory.resolve("head.safetensors"));
    Files.delete(directory.resolve("millrace.json"));
    ObjectNode config = config();
    config.put("lora_dropout", 0.1).put("megatron_core", "megatron.core").putNull("eva_config");
    config.putArray("modules_to_save").add("classifier").add("score");
    write(config);

    PeftLora read = read();

    assertThat(read.method().spec()).isEqualTo("lora:2;alpha=4");
    assertThat(read.labels()).isEmpty();
    assertThat(read.head()).isEmpty();
    assertThat(read.notes())
        .containsExactly(
            "lora_dropout is 0.1 and is not used",
            "classifier and pooler left out: the head begins without labels");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "peft_type | 'IA3' | only LORA can be started from",
        "peft_type | null | field peft_type is null; only LORA",
        "use_dora | true | only plain LoRA",
        "bias | 'all' | only \"none\" is supported",
        "init_lora_weights | 'pissa_niter_4' | such a start may change the base model",
        "rank_pattern | {'query': 4} | all weights must have one rank",
        "alpha_pattern | {'query': 4} | all weights must have one rank and one alpha",
        "fan_in_fan_out | true | field fan_in_fan_out is true; not supported",
        "lora_bias | true | field lora_bias is true; not supported",
        "target_parameters | ['a'] | field target_parameters is [\"a\"]; not supported",
        "brand_new | 3 | field brand_new is 3; not supported",
        "modules_to_save | ['embeddings'] | only layers after the encoder",
        "r | 2.5 | field r is 2.5; it must be a whole number from 1",
        "r | 4 | lora_A.weight has shape [2, 8], expected [4, 8]",
        "lora_alpha | -1 | field lora_alpha is -1; it must be a positive number",
      })
  void aSettingThatIsNotHonouredIsRefused(String field, String value, String message)
      throws Exception {
    ObjectNode config = config();
    config.set(field, JSON.readTree(value.replace('\'', '"')));
    write(config);

    assertRefused(message);
  }

  @Test
  void aBrokenDirectoryIsRefusedInOneLine() throws Exception {
    Map<String, Safetensors.AnyTensor> tensors = tensors();
    Safetensors.AnyTensor query = tensors.remove(QUERY + ".lora_B.weight");
    write(tensors);
    assertRefused("tensor " + QUERY + ".lora_B.weight is missing");

    float[] values = new float[16];
    values[5] = Float.NaN;
    tensors.put("q", new Safetensors.Tensor(query.name(), query.shape(), values));
    write(tensors);
    assertRefused("tensor " + query.name() + " holds a value that is not finite");

    tensors.put("q", query);
    String other = "base_model.model.encoder.layer.7.attention.self.query.lora_A.weight";
    tensors.put("o", new Safetensors.Tensor(other, new long[] {1}, new float[1]));
    write(tensors);
    assertRefused(
        "tensor " + other + " is not one of LoRA on the linear weights of a bert encoder");

    Files.writeString(directory.resolve("adapter_model.safetensors"), "nothing of the kind");
    assertRefused("adapter_model.safetensors: header length");
    Files.writeString(directory.resolve("adapter_config.json"), "[1]");
    assertRefused("adapter_config.json: is no JSON object");
    Files.writeString(directory.resolve("adapter_config.json"), "{\n");
    assertRefused("adapter_config.json: ");
  }

  @Test
  void aPickleAndAForeignBaseAreRefused() throws Exception {
    assertThatThrownBy(
            () -> PeftLora.of(PeftLora.Content.of(directory), base.config(), "ab".repeat(32)))
        .isInstanceOf(AdapterException.class)
        .hasMessageContaining("it was trained on the base model " + base.baseSha256());
    Path model = directory.resolve("adapter_model.safetensors");
    Files.move(model, directory.resolve("adapter_model.bin"));
    assertRefused("adapter_model.bin is a pickle, which can run any code when it is read");
    Files.delete(directory.resolve("adapter_config.json"));
    assertRefused("there is no adapter_config.json, so it holds no adapter of PEFT");
  }

  @Test
  void anotherMethodIsToldWhatToSet() throws Exception {
    PeftLora read = read();
    try (Trainer trainer = TrainedAdapters.trainer(base, "lora:8")) {
      assertThatThrownBy(() -> trainer.initialState(read))
          .isInstanceOf(AdapterException.class)
          .hasMessage(
              "it was trained with lora:2;alpha=4, the setting is lora:8;alpha=16: set adapter.method=lora, lora.rank=2, lora.alpha=4.0, lora.scaling=rank, adapter.weights=query+key+value+attention-output+intermediate+output");
    }
  }

  @Test
  void theHashIsThatOfAllFilesThatAreRead() throws Exception {
    String before = PeftLora.Content.of(directory).sha256();
    assertThat(PeftLora.Content.of(directory).sha256()).isEqualTo(before);
    Files.writeString(directory.resolve("README.md"), "other words");
    assertThat(PeftLora.Content.of(directory).sha256()).isEqualTo(before);
    for (String file : List.of("head.safetensors", "adapter_config.json")) {
      String last = PeftLora.Content.of(directory).sha256();
      Files.writeString(directory.resolve(file), "other");
      assertThat(PeftLora.Content.of(directory).sha256()).isNotEqualTo(last);
    }
  }

  private void assertRefused(String message) {
    assertThatThrownBy(this::read)
        .isInstanceOf(AdapterException.class)
        .hasMessageStartingWith(directory.toString())
        .hasMessageContaining(message)
        .satisfies(thrown -> assertThat(thrown.getMessage()).doesNotContain("\n"));
  }

  private PeftLora read() throws IOException {
    return PeftLora.of(PeftLora.Content.of(directory), base.config(), base.baseSha256());
  }

  private ObjectNode config() throws IOException {
    return (ObjectNode) JSON.readTree(directory.resolve("adapter_config.json").toFile());
  }

  private void write(ObjectNode config) throws IOException {
    JSON.writeValue(directory.resolve("adapter_config.json").toFile(), config);
  }

  private Map<String, Safetensors.AnyTensor> tensors() throws IOException {
    Map<String, Safetensors.AnyTensor> tensors = new TreeMap<>();
    Safetensors file = Safetensors.open(directory.resolve("adapter_model.safetensors"));
    for (String name : file.names()) {
      tensors.put(name, new Safetensors.Tensor(name, file.shape(name), file.floats(name)));
    }
    return tensors;
  }

  private void write(Map<String, Safetensors.AnyTensor> tensors) throws IOException {
    byte[] bytes = Safetensors.toBytes(Map.of("format", "pt"), new ArrayList<>(tensors.values()));
    Files.write(directory.resolve("adapter_model.safetensors"), bytes);
  }
}
