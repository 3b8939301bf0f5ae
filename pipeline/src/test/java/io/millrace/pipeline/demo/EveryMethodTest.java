package io.millrace.pipeline.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.SmallEncoder;
import io.millrace.pipeline.cli.Checkpoints;
import io.millrace.pipeline.cli.ChildJvm;
import io.millrace.pipeline.cli.MillraceCommand;
import io.millrace.pipeline.cli.Said;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.TrainingStep;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.adapter.Classifier;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.HeadOnly;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import io.millrace.testing.Await;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * All adapter methods at once in one job, two domains each, so that those that can train together.
 * The job is killed once; its hashes are those of an undisturbed job, of a replay and of a trainer
 * without Flink, and what is served and exported has the trainer's scores.
 */
@Tag("integration")
@Timeout(400)
class EveryMethodTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final HttpClient HTTP = HttpClient.newHttpClient();
  private static final int KILLED_AT_CHECKPOINT = 3;
  private static final List<String> DOMAINS_OF_A_METHOD = List.of("one", "two");
  private static final int BATCH = 4;
  private static final int STEPS = 7;
  private static final int ASKED = 3;

  /** By the first part of a domain's name. */
  private static final Map<String, String> METHODS = methods();

  @TempDir private static Path directory;
  private static Path encoder;
  private static Map<String, List<TrainingExample>> stream;
  private static Path file;
  private static EmbeddedStack stack;
  private static Connection connection;
  private static Instant killed;

  private static Map<String, String> methods() {
    Map<String, String> methods = new LinkedHashMap<>();
    for (String method :
        List.of(
            "dora:8",
            "vera:256",
            "oft:16",
            "boft:4",
            "hra:8",
            "ia3",
            "pissa:8",
            "lora-xs:16",
            "norms",
            "bias",
            "svf",
            "full")) {
      methods.put(method.replaceAll(":.*", ""), method);
    }
    methods.put("root-rank", "lora:8;scaling=root-rank");
    return methods;
  }

  @BeforeAll
  static void train() throws Exception {
    ModelFiles miniLm = new ModelStore(models()).prepare(ModelStore.MINILM, (m, d, t) -> {});
    encoder = SmallEncoder.write(directory.resolve("small"), miniLm);
    stream = stream();
    file = Files.write(directory.resolve("stream.jsonl"), lines());
    try (ChildJvm child = job("killed")) {
      Checkpoints.await(directory.resolve("killed"), KILLED_AT_CHECKPOINT, child);
      child.kill();
    }
    killed = Instant.now();
    run("killed");
    List<Setting<?>> all =
        Stream.of(EmbeddedStack.SETTINGS, Connection.SETTINGS)
            .<Setting<?>>flatMap(List::stream)
            .toList();
    Settings settings = Settings.of(all, null, List.of());
    stack = EmbeddedStack.start(directory.resolve("killed"), EmbeddedStack.Ports.FREE, settings);
    connection = new Connection(stack.connect(settings));
  }

  @AfterAll
  static void stop() {
    if (stack != null) {
      stack.close();
    }
  }

  @Test
  void aKilledJobEndsAsAnUndisturbedOneAndAsItsReplay() throws Exception {
    run("undisturbed");
    Map<String, JsonNode> undisturbed = domains("undisturbed");

    assertThat(undisturbed).hasSize(METHODS.size() * DOMAINS_OF_A_METHOD.size());
    assertThat(domains("killed")).isEqualTo(undisturbed);
    assertThat(steps())
        .hasSize(STEPS * undisturbed.size())
        .as("committed before the kill, and taken after it")
        .anyMatch(step -> step.getFinishedAt().isBefore(killed))
        .anyMatch(step -> step.getFinishedAt().isAfter(killed));

    Said replayed = millrace("replay", "--all");

    assertThat(replayed.exitCode()).as("%s", replayed).isZero();
    assertThat(replayed.text())
        .contains("%1$d of %1$d domains are the same".formatted(undisturbed.size()));
  }

  @Test
  void whatIsServedAndExportedHasTheScoresOfTheTrainingState() throws Exception {
    Map<String, String> last = new HashMap<>();
    steps().forEach(step -> last.put(step.getDomain(), step.getStateSha256()));
    List<String> serve = new ArrayList<>(DemoTest.serve());
    serve.addAll(List.of("--set", "model.name=" + encoder));
    try (ServeSubprocess serving =
        ServeSubprocess.start(serve, directory.resolve("serve"), models().toString(), connection)) {
      awaitReady(serving.address());
      for (Map.Entry<String, String> each : METHODS.entrySet()) {
        String domain = each.getKey() + "/" + DOMAINS_OF_A_METHOD.get(1);
        Trained trained = trained(domain, each.getValue());

        assertThat(trained.state().sha256()).as(domain).isEqualTo(last.get(domain));
        assertServed(serving.address(), domain, trained);
        assertExported(domain, trained);
      }
    }
  }

  /**
   * @param state after the domain's last step
   * @param head of the version made of it
   * @param logits that it gives the texts that are asked for
   */
  private record Trained(TrainingState state, float[] head, float[][] logits) {}

  /** Trains a domain again, without Kafka or Flink. */
  private static Trained trained(String domain, String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    ModelFiles files = model(encoder);
    try (BaseModel base =
            BaseModel.load(files, Torch.device("cpu"), method.factored(), Kernels.PACKED);
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1)) {
      List<TrainingExample> examples = stream.get(domain);
      TrainingState state = trainer.initialState();
      for (int at = 0; at < examples.size(); at += BATCH) {
        state = trainer.step(state, examples.subList(at, at + BATCH)).state();
      }
      return new Trained(
          state,
          state.toAdapter(base, domain, 1, "").head(),
          trainer.step(state, examples.subList(0, ASKED)).logits());
    }
  }

  private static void assertServed(URI service, String domain, Trained trained) throws Exception {
    for (int i = 0; i < ASKED; i++) {
      JsonNode answer = predict(service, domain, stream.get(domain).get(i).text());
      assertThat(answer.path("servedBy").asText()).as("%s", answer).isEqualTo("domain");
      List<String> labels = trained.state().labels();
      for (int label = 0; label < labels.size(); label++) {
        assertThat(answer.path("logits").path(labels.get(label)).doubleValue())
            .as("%s, text %d, label %s", domain, i, labels.get(label))
            .isCloseTo(trained.logits()[i][label], within(1e-4));
      }
    }
  }

  /** Takes the export as a base model, with the version's head on it. */
  private static void assertExported(String domain, Trained trained) {
    Path output = directory.resolve("exported").resolve(domain);
    Said said =
        millrace(
            "adapters",
            "export",
            "--format=huggingface",
            "--domain=" + domain,
            "--output=" + output);
    assertThat(said.exitCode()).as("%s", said).isZero();
    try (BaseModel merged =
        BaseModel.load(model(output), Torch.device("cpu"), new HeadOnly().factored())) {
      Adapter head =
          new Adapter(
              domain,
              1,
              "",
              merged.name(),
              merged.baseSha256(),
              merged.basisSha256(),
              new HeadOnly(),
              merged.config(),
              trained.state().labels(),
              new int[0],
              new float[0],
              trained.head(),
              1,
              1);
      try (Classifier classifier = new Classifier(merged, head)) {
        float[][] logits =
            classifier.logits(
                stream.get(domain).stream().limit(ASKED).map(TrainingExample::text).toList());
        for (int i = 0; i < ASKED; i++) {
          assertThat(logits[i]).as(domain).containsExactly(trained.logits()[i], within(1e-4f));
        }
      }
    }
  }

  private static ModelFiles model(Path source) {
    return new ModelStore(models()).prepare(source.toString(), (m, d, t) -> {});
  }

  private static List<String> names() {
    List<String> names = new ArrayList<>();
    for (String domain : DOMAINS_OF_A_METHOD) {
      METHODS.keySet().forEach(method -> names.add(method + "/" + domain));
    }
    return names;
  }

  /** WordNet's definitions, dealt out to the domains in turn. */
  private static Map<String, List<TrainingExample>> stream() throws IOException {
    Map<String, List<TrainingExample>> stream = new TreeMap<>();
    List<String> names = names();
    int next = 0;
    for (LabeledExample each : WordNet.load().definitions(names.size() * STEPS * BATCH)) {
      stream
          .computeIfAbsent(names.get(next++ % names.size()), name -> new ArrayList<>())
          .add(new TrainingExample(each.getText(), each.getLabel(), 1));
    }
    return stream;
  }

  private static List<String> lines() throws IOException {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < STEPS * BATCH; i++) {
      for (String domain : names()) {
        TrainingExample example = stream.get(domain).get(i);
        lines.add(
            JSON.writeValueAsString(
                Map.of("domain", domain, "text", example.text(), "label", example.label())));
      }
    }
    return lines;
  }

  private static ChildJvm job(String data) throws IOException {
    List<String> arguments = new ArrayList<>(List.of("train", "--input", file.toString()));
    arguments.addAll(List.of("--data", directory.resolve(data).toString()));
    arguments.addAll(List.of("--report", directory.resolve(data + ".json").toString()));
    List<String> settings =
        new ArrayList<>(
            List.of(
                "model.store=" + models(),
                "model.name=" + encoder,
                "batch.size=" + BATCH,
                "batch.timeout=none",
                "publish.everySteps=3",
                "checkpoint.interval=200ms",
                "domains.root-rank/*.adapter.method=lora",
                "domains.root-rank/*.lora.scaling=root-rank"));
    METHODS.keySet().stream()
        .filter(method -> !method.equals("root-rank"))
        .forEach(method -> settings.add("domains.%1$s/*.adapter.method=%1$s".formatted(method)));
    settings.forEach(setting -> arguments.addAll(List.of("--set", setting)));
    return new ChildJvm(
        directory.resolve("logs"),
        MillraceCommand.class.getName(),
        arguments.toArray(String[]::new));
  }

  private static void run(String data) throws Exception {
    try (ChildJvm child = job(data)) {
      List<String> said = child.awaitEnd();
      assertThat(child.exitCode()).as("said: %s", said).isZero();
    }
  }

  private static Map<String, JsonNode> domains(String data) throws IOException {
    JsonNode report = JSON.readTree(directory.resolve(data + ".json").toFile());
    Map<String, JsonNode> domains = new TreeMap<>();
    report.path("domains").fields().forEachRemaining(e -> domains.put(e.getKey(), e.getValue()));
    return domains;
  }

  private static List<TrainingStep> steps() {
    List<TrainingStep> steps = new ArrayList<>();
    RunRecord.Listener listener =
        new RunRecord.Listener() {
          @Override
          public void took(TrainingStep step) {
            steps.add(step);
          }
        };
    try (RunRecord record = new RunRecord(connection, listener)) {
      record.readToEnd();
    }
    return steps;
  }

  private static Said millrace(String... command) {
    List<String> all = new ArrayList<>(List.of(command));
    for (String set :
        List.of(
            "model.store=" + models(),
            "kafka.bootstrap.servers=" + stack.bootstrapServers(),
            "schema.registry.url=" + stack.registryUrl())) {
      all.addAll(List.of("--set", set));
    }
    return Said.run(all.toArray(String[]::new));
  }

  private static void awaitReady(URI service) throws Exception {
    HttpRequest ready = HttpRequest.newBuilder(service.resolve("/health/ready")).build();
    Await.value(
        "the service is ready",
        () -> HTTP.send(ready, HttpResponse.BodyHandlers.discarding()).statusCode(),
        status -> status == 200);
  }

  private static JsonNode predict(URI service, String domain, String text) throws Exception {
    HttpResponse<String> response =
        HTTP.send(
            HttpRequest.newBuilder(service.resolve("/v1/predict"))
                .header("Content-Type", "application/json")
                .POST(
                    HttpRequest.BodyPublishers.ofString(
                        JSON.writeValueAsString(Map.of("domain", domain, "text", text))))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return JSON.readTree(response.body());
  }

  private static Path models() {
    return Path.of(System.getProperty("millrace.test.models"));
  }
}
