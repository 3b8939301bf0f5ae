package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.ExitCode;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.records.TestVersions;
import io.millrace.schemas.AdapterVersion;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.Sha256;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The commands on adapters, on a running stack and on one's directory. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(200)
class AdaptersCommandTest {
  private static final Path MODELS = Path.of(System.getProperty("millrace.test.models"));
  private static final String STORE = "model.store=" + MODELS;

  @TempDir private static Path root;
  private static Settings settings;
  private static List<AdapterVersion> chain;
  private static ModelFiles miniLm;

  @BeforeAll
  static void publish(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    List<Setting<?>> all =
        Stream.of(EmbeddedStack.SETTINGS, Connection.SETTINGS)
            .<Setting<?>>flatMap(List::stream)
            .toList();
    Settings defaults = Settings.of(all, null, List.of());
    settings = TestStack.renew(kafka, registry, defaults).connect(defaults);
    miniLm = new ModelStore(MODELS).prepare(ModelStore.MINILM, (model, done, total) -> {});
    chain = TestVersions.chain("mail\u001b[31m", 3);
    List<AdapterVersion> versions = new ArrayList<>(chain);
    versions.add(TestVersions.of(miniLm, "reviews"));
    TestVersions.publish(new Connection(settings), versions);
  }

  @Test
  void listIsATableByDomainTheNewestLast() {
    Said said = adapters("list");

    assertThat(said.exitCode()).isZero();
    assertThat(said.out()).hasSize(5);
    assertThat(said.out().get(0).split(" +"))
        .containsExactly(
            "domain",
            "version",
            "sha256",
            "method",
            "trainables",
            "labels",
            "examples",
            "bytes",
            "created",
            "parent");
    assertThat(said.out().get(3).split(" +"))
        .containsExactly(
            "mail\\u001b[31m",
            "3",
            chain.get(2).getSha256().substring(0, 12),
            "head",
            "0",
            "2",
            "480",
            "" + chain.get(2).getPayload().remaining(),
            "2026-01-02T03:04:05Z",
            chain.get(1).getSha256().substring(0, 12));
    assertThat(said.out().get(1)).endsWith(" -");
    assertThat(said.out().get(4)).startsWith("reviews ");
    assertThat(adapters("list", "--domain", "reviews").out()).hasSize(2);
  }

  @Test
  void listForMachinesHasWholeHashesAndLabels() throws Exception {
    JsonNode list = json(adapters("list", "--json"));

    assertThat(list).hasSize(4);
    assertThat(list.get(1).path("domain").asText()).isEqualTo("mail\u001b[31m");
    assertThat(list.get(1).path("sha256").asText()).isEqualTo(chain.get(1).getSha256());
    assertThat(list.get(1).path("labels"))
        .extracting(JsonNode::asText)
        .containsExactly("no", "yes");
    assertThat(list.get(0).path("parentSha256").isNull()).isTrue();
  }

  @Test
  void showSaysEverythingOfTheNewestOrTheOneNamed() throws Exception {
    Said said = adapters("show", "--domain", chain.get(0).getDomain());

    assertThat(said.out())
        .contains(
            "domain               mail\\u001b[31m",
            "version              3",
            "sha256               " + chain.get(2).getSha256(),
            "methodSettings       head",
            "pattern              -",
            "  yes",
            "  head.weight  F32 [2, 2]",
            "manifest",
            "  firstStep        21",
            "    settings",
            "      adapter.method  head");
    JsonNode second =
        json(adapters("show", "--domain", chain.get(0).getDomain(), "--version", "2", "--json"));
    assertThat(second.path("version").asLong()).isEqualTo(2);
    assertThat(second.path("createdAt").asText()).isEqualTo("2026-01-02T03:04:05Z");
    assertThat(second.path("trainedThrough").path("0").asLong()).isEqualTo(319);
    assertThat(second.path("tensors").path("head.bias").asText()).isEqualTo("F32 [2]");
  }

  @Test
  void verifyChecksEveryVersionAndSaysWhatItCouldNotCompare() {
    Said said = adapters("verify", "--set", STORE);

    assertThat(said.exitCode()).as("%s", said).isZero();
    assertThat(said.out())
        .containsExactly(
            "mail\\u001b[31m: 3 versions checked, 1 to 3: sound",
            "reviews: 1 version checked, 1: sound",
            "Base model nobodys is not in the store %s: its hashes were not compared"
                .formatted(MODELS));
    assertThat(adapters("verify", "--domain", "reviews", "--set", STORE).out()).hasSize(1);
  }

  @Test
  void aPayloadThatWasExportedIsTheVersionItself() throws Exception {
    Path file = root.resolve("mail.safetensors");
    String domain = chain.get(0).getDomain();

    Said said =
        adapters(
            "export",
            "--domain",
            domain,
            "--version",
            "2",
            "--format",
            "safetensors",
            "--output",
            file.toString());

    assertThat(said.exitCode()).as("%s", said).isZero();
    assertThat(Sha256.of(file)).isEqualTo(chain.get(1).getSha256());
    assertThat(said.out()).contains("sha256 " + chain.get(1).getSha256());
    Said shown = Said.run("adapters", "show", "--payload", file.toString());
    assertThat(shown.out()).contains("version              2", "labels");
    Said verified = Said.run("adapters", "verify", "--payload", file.toString(), "--set", STORE);
    assertThat(verified.out().get(0)).endsWith(": sound");
    Said foreign =
        Said.run(
            "adapters",
            "export",
            "--payload",
            file.toString(),
            "--format",
            "huggingface",
            "--output",
            root.resolve("none").toString(),
            "--set",
            STORE);
    assertThat(foreign.exitCode()).isEqualTo(2);
    assertThat(foreign.line()).contains("unknown base model \"nobodys\"");
    assertThat(root.resolve("none")).doesNotExist();
  }

  @Test
  void anExportedDirectoryIsCompleteAndIsNotOverwritten() throws Exception {
    Path directory = root.resolve("exported");
    String[] command = {
      "export",
      "--domain",
      "reviews",
      "--format",
      "huggingface",
      "--output",
      directory.toString(),
      "--set",
      STORE
    };

    Said said = adapters(command);

    assertThat(said.exitCode()).as("%s", said).isZero();
    assertThat(said.out().get(0)).startsWith("Wrote reviews@1 to " + directory);
    assertThat(said.out()).contains("  model = SentenceTransformer(\"" + directory + "\")");
    assertThat(Safetensors.open(directory.resolve("head.safetensors")).shape("weight"))
        .containsExactly(2, 384);
    assertThat(directory.resolve("model.safetensors")).isRegularFile();
    assertThat(adapters(command).line()).contains("holds an earlier export; --force replaces it");
    String[] forced = Arrays.copyOf(command, command.length + 1);
    forced[command.length] = "--force";
    assertThat(adapters(forced).exitCode()).isZero();
  }

  @Test
  void anAdapterIsExportedForPeftWhereItHasTheMethod() throws Exception {
    Path payload = root.resolve("norms.safetensors");
    Files.write(payload, TestVersions.norms(miniLm, "reviews").toPayload());
    Path directory = root.resolve("peft");

    Said said =
        Said.run(
            "adapters",
            "export",
            "--payload=" + payload,
            "--format=peft",
            "--output=" + directory,
            "--set",
            STORE);

    assertThat(said.exitCode()).as("%s", said).isZero();
    assertThat(said.out().get(0)).startsWith("Wrote reviews@1 to " + directory + " (8 files, ");
    JsonNode config =
        new ObjectMapper().readTree(directory.resolve("adapter_config.json").toFile());
    assertThat(config.path("peft_type").asText()).isEqualTo("LN_TUNING");
    assertThat(config.path("base_model_name_or_path").asText())
        .isEqualTo("sentence-transformers/all-MiniLM-L6-v2");
    Safetensors file = Safetensors.open(directory.resolve("adapter_model.safetensors"));
    assertThat(file.shape("base_model.model.embeddings.LayerNorm.ln_tuning_layers.weight"))
        .containsExactly(384);
    assertMistake(
        "reviews@1 is of the method head, which PEFT does not have: use --format huggingface",
        "export",
        "--domain=reviews",
        "--format=peft",
        "--output=" + root.resolve("none"),
        "--set",
        STORE);
    assertThat(root.resolve("none")).doesNotExist();
  }

  @Test
  void aMistakeIsOneLineThatNamesWhatThereIs() throws Exception {
    assertMissing(
        "no adapters of the domain \"nope\"; there are mail\\u001b[31m, reviews",
        "show",
        "--domain",
        "nope");
    assertMissing(
        "no adapters of the domain \"nope\"; there are mail\\u001b[31m, reviews",
        "list",
        "--domain",
        "nope");
    assertMissing(
        "no adapters of the domain \"nope\"; there are mail\\u001b[31m, reviews",
        "verify",
        "--domain",
        "nope");
    assertMistake("--domain is needed: there are mail\\u001b[31m, reviews", "show");
    assertMissing(
        "reviews has no version 9; it has 1", "show", "--domain", "reviews", "--version", "9");
    assertMistake("unknown format \"onnx\"", "export", "--format", "onnx", "--output", "x");
    assertMistake("--output", "export", "--format", "safetensors");
    Path text = Files.writeString(root.resolve("text"), "not an adapter");
    assertMistake("text: adapter payload: ", "show", "--payload", text.toString());
    assertMistake("is one version", "show", "--payload", text.toString(), "--domain", "d");
    assertMistake("cannot be read", "verify", "--payload", root.resolve("nothing").toString());
    assertMistake(
        "holds no data of a train, demo or up", "list", "--data", root.resolve("no").toString());
    assertThat(root.resolve("no")).doesNotExist();
    assertMistake("Unmatched argument", "frobnicate");
  }

  @Test
  void aDirectoryThatIsInUseIsRefusedAndOneThatIsNotIsRead() throws Exception {
    Path own = root.resolve("own");
    Settings defaults = Settings.of(EmbeddedStack.SETTINGS, null, List.of());
    try (EmbeddedStack other = EmbeddedStack.start(own, EmbeddedStack.Ports.FREE, defaults)) {
      Settings there = other.connect(Settings.of(Connection.SETTINGS, null, List.of()));
      TestVersions.publish(new Connection(there), TestVersions.chain("d", 2));

      Said busy = Said.run("adapters", "list", "--data", own.toString());
      assertThat(busy.exitCode()).isEqualTo(2);
      assertThat(busy.err()).last().asString().contains("is in use by process");
    }

    Said said = Said.run("adapters", "list", "--data", own.toString());

    assertThat(said.exitCode()).as("%s", said).isZero();
    assertThat(said.out()).hasSize(3);
    assertThat(said.line()).startsWith("Starting Kafka");
    assertThat(Said.run("adapters", "list", "--data", own.toString(), "--quiet"))
        .isEqualTo(new Said(0, said.out(), List.of()));
  }

  private static void assertMistake(String message, String... command) {
    assertRefused(ExitCode.USAGE, message, command);
  }

  private static void assertMissing(String message, String... command) {
    assertRefused(ExitCode.NOT_FOUND, message, command);
  }

  private static void assertRefused(int exitCode, String message, String... command) {
    Said said = adapters(command);
    assertThat(said.exitCode()).as("%s", said).isEqualTo(exitCode);
    assertThat(said.line()).startsWith("millrace: ").contains(message);
    assertThat(said.out()).isEmpty();
  }

  private static JsonNode json(Said said) throws Exception {
    return new ObjectMapper().readTree(String.join("\n", said.out()));
  }

  /** As a user of the running stack types it. */
  private static Said adapters(String... command) {
    List<String> all = new ArrayList<>(List.of("adapters"));
    all.addAll(List.of(command));
    boolean connects = !all.contains("--payload") && !all.contains("frobnicate");
    if (connects) {
      for (String key : List.of("kafka.bootstrap.servers", "schema.registry.url")) {
        all.addAll(List.of("--set", key + "=" + settings.explicit().get(key)));
      }
    }
    return Said.run(all.toArray(String[]::new));
  }
}
