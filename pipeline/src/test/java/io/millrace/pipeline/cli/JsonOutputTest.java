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
import io.millrace.pipeline.records.TestJob;
import io.millrace.pipeline.records.TestVersions;
import io.millrace.svft.tensor.Sha256;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Results are JSON on standard output, for programs; all else is on standard error. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(200)
class JsonOutputTest {
  private static Settings settings;

  @BeforeAll
  static void publish(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    List<Setting<?>> all =
        Stream.of(EmbeddedStack.SETTINGS, Connection.SETTINGS)
            .<Setting<?>>flatMap(List::stream)
            .toList();
    Settings defaults = Settings.of(all, null, List.of());
    settings = TestStack.renew(kafka, registry, defaults).connect(defaults);
    try (TestJob job = new TestJob(new Connection(settings), "job")) {
      TestVersions.chain("mail", 6).forEach(job::publish);
      TestVersions.chain("reviews", 9).forEach(job::publish);
      TestVersions.chain("few", 2).forEach(job::publish);
    }
  }

  @TempDir private Path directory;

  @Test
  void topicsNamesWhatItMade() throws Exception {
    assertThat(json("topics", "--json")).hasToString("{\"made\":[]}");
  }

  @Test
  void produceCountsWhatItSent() throws Exception {
    Path file = directory.resolve("two.jsonl");
    Files.writeString(
        file, "{\"domain\": \"d\", \"text\": \"A text.\", \"label\": \"l\"}\nno JSON\n");

    JsonNode sent = json("produce", file.toString(), "--json");

    assertThat(sent.path("file").asText()).isEqualTo("two.jsonl");
    assertThat(sent.path("examples").asInt()).isEqualTo(1);
    assertThat(sent.path("deadLetters").asInt()).isEqualTo(1);
    assertThat(sent.path("deadLettersByClass")).hasToString("{\"BrokenJson\":1}");
    assertThat(sent.path("sha256").asText()).hasSize(64);
  }

  @Test
  void verifyExportAndPruneSayWhatTheyDid() throws Exception {
    JsonNode verified = json("adapters", "verify", "--domain=mail", "--json");
    assertThat(verified.path("sound").asBoolean()).isTrue();
    assertThat(verified.path("strays")).hasToString("[]");
    assertThat(verified.path("domains"))
        .hasToString("[{\"domain\":\"mail\",\"versions\":6,\"faults\":[]}]");

    Path file = directory.resolve("mail.safetensors");
    JsonNode exported =
        json(
            "adapters",
            "export",
            "--domain=mail",
            "--format=safetensors",
            "--output=" + file,
            "--json");
    assertThat(exported.path("version").asInt()).isEqualTo(6);
    assertThat(exported.path("path").asText()).isEqualTo(file.toString());
    assertThat(exported.path("sha256").asText()).isEqualTo(Sha256.of(Files.readAllBytes(file)));

    JsonNode pruned =
        json("adapters", "prune", "--keep=4", "--domain=reviews", "--dry-run", "--json");
    assertThat(pruned.path("dryRun").asBoolean()).isTrue();
    assertThat(pruned.path("domains").get(0).path("domain").asText()).isEqualTo("reviews");
    assertThat(pruned.path("domains").get(0).path("deleted")).hasToString("[1,2,3,4,5]");
    assertThat(pruned.path("domains").get(0).path("kept").asInt()).isEqualTo(4);
  }

  @Test
  void aDecisionShowsTheStateAfterIt() throws Exception {
    JsonNode after = json("rollout", "pin", "--domain=few", "--version=1", "--by=ann", "--json");

    assertThat(after.path("stable").path("version").asInt()).isEqualTo(1);
    assertThat(after.path("policy").asText()).isEqualTo("pinned");
    assertThat(after.path("revision").asInt()).isEqualTo(1);
    assertThat(after.path("decided").path("author").asText()).isEqualTo("ann");

    Said second = millrace("rollout", "promote", "--domain=few", "--revision=0", "--json");
    assertThat(second.exitCode()).isEqualTo(ExitCode.CONFLICT);
    assertThat(second.out()).isEmpty();
    assertThat(second.line()).contains("nothing changed");
  }

  private static JsonNode json(String... command) throws Exception {
    Said said = millrace(command);
    assertThat(said.exitCode()).as("%s", said).isZero();
    assertThat(said.err()).isEmpty();
    return new ObjectMapper().readTree(said.text());
  }

  private static Said millrace(String... arguments) {
    List<String> all = new ArrayList<>(List.of(arguments));
    for (Setting<?> setting : List.of(Connection.BOOTSTRAP_SERVERS, Connection.REGISTRY_URL)) {
      all.addAll(List.of("--set", setting.key() + "=" + settings.get(setting)));
    }
    return Said.run(all.toArray(String[]::new));
  }
}
