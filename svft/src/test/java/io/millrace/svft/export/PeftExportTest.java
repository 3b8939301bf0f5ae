package io.millrace.svft.export;

import static io.millrace.svft.export.TrainedAdapters.assertSamePredictions;
import static io.millrace.svft.export.TrainedAdapters.trained;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Reads exported directories as PEFT reads them, without Millrace's arithmetic. */
@Tag("unit")
class PeftExportTest {
  private static final List<String> TEXTS =
      List.of("a stream of examples", "turn", "s into a stream", "examples examples turn of a");

  @TempDir private Path root;

  @ParameterizedTest
  @CsvSource({
    "BERT, cls, 3",
    "BERT, mean, 3",
    "BERT, cls, 1",
    "ROBERTA, cls, 3",
    "ROBERTA, mean, 3",
    "DISTILBERT, cls, 4",
    "DISTILBERT, cls, 5",
    "DISTILBERT, mean, 3"
  })
  void logitsOfEveryFamilyAreTheClassifiers(Architecture family, String pooling, int labels)
      throws Exception {
    assertSameLogits(family, pooling, "lora:2", labels);
    assertSameLogits(family, pooling, "norms", labels);
  }

  /** Weights of the tiny model have 8 or 12 rows and columns. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "lora:3;alpha=2.5;scaling=root-rank;weights=key+output",
        "dora:2",
        "pissa:2;alpha=3",
        "pissa:10",
        "vera:5;seed=3",
        "vera:5;weights=query+intermediate",
        "oft:4",
        "boft:2;factors=1",
        "boft:2",
        "hra:4",
        "ia3",
        "ia3;weights=query+attention-output+intermediate+output"
      })
  void everyMethodThatPeftHasGivesTheClassifiersLogits(String method) throws Exception {
    assertSameLogits(Architecture.BERT, "cls", method, 3);
  }

  @Test
  void severalButterflyFactorsAreOneFactorOfLargerBlocks() throws Exception {
    PeftDirectory export = assertSameLogits(Architecture.BERT, "mean", "boft:2", 3);

    assertThat(export.config().path("boft_block_size").asInt()).isEqualTo(4);
    assertThat(export.config().path("boft_n_butterfly_factor").asInt()).isEqualTo(1);
  }

  @Test
  void aWeightOfSmallerRankHasItInThePatterns() throws Exception {
    JsonNode config = assertSameLogits(Architecture.BERT, "cls", "pissa:10", 3).config();

    assertThat(config.path("r").asInt()).isEqualTo(20);
    assertThat(config.path("rank_pattern").path("bert.encoder.layer.1.output.dense").asInt())
        .isEqualTo(16);
    assertThat(config.path("alpha_pattern").size()).isEqualTo(config.path("rank_pattern").size());
  }

  private PeftDirectory assertSameLogits(
      Architecture family, String pooling, String method, int labels) throws IOException {
    try (BaseModel base = tiny(family, pooling, method)) {
      Adapter adapter = trained(base, method, labels, TEXTS);
      PeftDirectory export = new PeftDirectory(export(base, adapter));
      Path applied = Files.createTempDirectory(root, "applied");
      export.apply(root.resolve(family.id() + "-" + pooling), applied);

      assertThat(export.classifies()).isEqualTo(pooling.equals("cls"));
      assertSamePredictions(base, adapter, applied, TEXTS);
      return export;
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"svft", "svf", "lora-xs:2", "bias", "full", "head"})
  void aMethodThatPeftDoesNotHaveIsRefused(String method) throws Exception {
    try (BaseModel base = tiny(Architecture.BERT, "cls", method)) {
      Adapter adapter = trained(base, method, 3, TEXTS);

      assertThatThrownBy(() -> export(base, adapter))
          .isInstanceOf(AdapterException.class)
          .hasMessage(
              "re\"views@7 is of the method %s, which PEFT does not have: use --format huggingface, the adapter merged into its base model"
                  .formatted(adapter.method().id()));
    }
  }

  /** Cayley's transform of a rotation by 180 degrees does not exist. */
  @Test
  void butterflyFactorsThatOneFactorCannotHoldAreRefused() throws Exception {
    try (BaseModel base = tiny(Architecture.BERT, "mean", "boft:2")) {
      Adapter adapter = trained(base, "boft:2", 3, TEXTS);
      // X = [0, 1; -1, 0], a quarter turn, in one block of each factor: they add up in one plane.
      float[] values = adapter.values();
      for (int at : List.of(0, 4, 16, 20)) {
        values[at] = values[at + 3] = 0;
        values[at + 1] = 1;
        values[at + 2] = -1;
      }

      assertThatThrownBy(() -> export(base, adapter))
          .isInstanceOf(AdapterException.class)
          .hasMessageContaining("encoder.layer.0.attention.self.query turns some inputs by nearly")
          .hasMessageContaining("use --format huggingface");
    }
  }

  @Test
  void aHeadThatTheLayersOfTransformersCannotHoldStandsBeside() throws Exception {
    try (BaseModel base = tiny(Architecture.BERT, "cls", "lora:2")) {
      Adapter adapter = trained(base, "lora:2", 3, TEXTS);
      adapter.head()[0] = Float.MAX_VALUE / 2;

      Path export = export(base, adapter);

      assertThat(new PeftDirectory(export).classifies()).isFalse();
      assertThat(Safetensors.open(export.resolve("head.safetensors")).floats("weight")[0])
          .isEqualTo(Float.MAX_VALUE / 2);
      assertThat(Files.readString(export.resolve("README.md"))).contains("vector = tokens[:, 0]");
    }
  }

  @Test
  void theDirectorySaysWhatItIs() throws Exception {
    try (BaseModel base = tiny(Architecture.BERT, "mean", "lora:2")) {
      Adapter adapter = trained(base, "lora:2", 3, TEXTS);

      Path export = export(base, adapter);

      try (Stream<Path> files = Files.list(export)) {
        assertThat(files.map(file -> file.getFileName().toString()))
            .containsExactlyInAnyOrder(
                "README.md",
                "adapter_config.json",
                "adapter_model.safetensors",
                "head.safetensors",
                "millrace.json",
                "special_tokens_map.json",
                "tokenizer.json",
                "tokenizer_config.json");
      }
      assertThat(Files.readString(export.resolve("README.md")))
          .startsWith(
              """
              ---
              base_model: "%s"
              library_name: peft
              pipeline_tag: text-classification
              tags:
              - "base_model:adapter:%1$s"
              - lora
              - transformers
              - millrace
              ---

              # A text classifier
              """
                  .formatted(base.name()))
          .contains("PeftModel.from_pretrained(base, path)", adapter.sha256());
      JsonNode provenance = new ObjectMapper().readTree(export.resolve("millrace.json").toFile());
      assertThat(provenance.path("sha256").asText()).isEqualTo(adapter.sha256());
      assertThat(provenance.path("labels"))
          .extracting(JsonNode::asText)
          .isEqualTo(adapter.labels());
      Path again = export(base, adapter);
      for (String file : List.of("README.md", "adapter_config.json", "adapter_model.safetensors")) {
        assertThat(again.resolve(file)).hasSameBinaryContentAs(export.resolve(file));
      }
    }
  }

  @Test
  void theNamedModelsHaveTheirPublicNames() {
    assertThat(ModelStore.publicName("minilm")).isEqualTo("sentence-transformers/all-MiniLM-L6-v2");
    assertThat(ModelStore.publicName("bge-small")).isEqualTo("BAAI/bge-small-en-v1.5");
    assertThat(ModelStore.publicName("mine-0123456789ab")).isEqualTo("mine-0123456789ab");
  }

  private BaseModel tiny(Architecture family, String pooling, String method) throws IOException {
    return TrainedAdapters.tiny(root, family, pooling, AdapterMethod.parse(method).factored());
  }

  private Path export(BaseModel base, Adapter adapter) throws IOException {
    Path directory = Files.createTempDirectory(root, "export");
    PeftExport.write(base, adapter, directory);
    return directory;
  }
}
