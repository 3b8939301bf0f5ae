package io.millrace.pipeline.demo;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.CommandLines;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.cli.MillraceCommand;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.TrainingStep;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.StepResult;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import io.millrace.testing.Await;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is served is what was trained, through Kafka, Flink, RocksDB and HTTP. */
@Tag("integration")
@Timeout(300)
class ServedLogitsTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int EXAMPLES = 320;
  private static final int ASKED = 100;

  @TempDir private Path directory;

  @Test
  void theServingProcessAnswersWithTheTrainersLogits() throws Exception {
    List<LabeledExample> stream = WordNet.load().definitions(EXAMPLES);
    assertThat(train(stream)).isZero();
    Settings settings =
        Settings.of(
            Stream.of(EmbeddedStack.SETTINGS, Connection.SETTINGS)
                .<Setting<?>>flatMap(List::stream)
                .toList(),
            null,
            List.of());
    try (EmbeddedStack stack =
        EmbeddedStack.start(directory.resolve("run"), EmbeddedStack.Ports.FREE, settings)) {
      Connection connection = new Connection(stack.connect(settings));
      StepResult trainers = trainersOwn(stream, lastStep(connection));
      try (ServeSubprocess serving =
          ServeSubprocess.start(
              DemoTest.serve(), directory.resolve("serve"), models(), connection)) {
        awaitReady(serving.address());
        for (int i = 0; i < ASKED; i++) {
          JsonNode answer = predict(serving.address(), stream.get(i).getText());
          List<String> labels = trainers.state().labels();
          for (int label = 0; label < labels.size(); label++) {
            assertThat(answer.path("logits").path(labels.get(label)).doubleValue())
                .as("text %d, label %s", i, labels.get(label))
                .isCloseTo(
                    trainers.logits()[i][label], org.assertj.core.api.Assertions.within(1e-4));
          }
        }
      }
    }
  }

  private int train(List<LabeledExample> stream) throws Exception {
    List<String> lines = new ArrayList<>();
    for (LabeledExample example : stream) {
      lines.add(
          JSON.writeValueAsString(
              Map.of(
                  "domain", example.getDomain(),
                  "text", example.getText(),
                  "label", example.getLabel())));
    }
    Path file = Files.write(directory.resolve("stream.jsonl"), lines);
    return CommandLines.run(
        new MillraceCommand(),
        "train",
        "--input",
        file.toString(),
        "--data",
        directory.resolve("run").toString(),
        "--set",
        "model.store=" + models());
  }

  private static TrainingStep lastStep(Connection connection) {
    AtomicReference<TrainingStep> last = new AtomicReference<>();
    RunRecord.Listener listener =
        new RunRecord.Listener() {
          @Override
          public void took(TrainingStep step) {
            last.set(step);
          }
        };
    try (RunRecord record = new RunRecord(connection, listener)) {
      record.readToEnd();
    }
    return last.get();
  }

  /** Trains the stream again without Kafka or Flink, to the very bits the job had at its end. */
  private static StepResult trainersOwn(List<LabeledExample> stream, TrainingStep last) {
    AdapterMethod svft = AdapterMethod.parse("svft:plain");
    try (BaseModel base =
            BaseModel.load(
                new ModelStore(Path.of(models())).prepare(ModelStore.MINILM, (m, d, t) -> {}),
                Torch.device("cpu"),
                svft.factored(),
                Kernels.PACKED);
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(svft), 1)) {
      TrainingState state = trainer.initialState();
      List<TrainingExample> examples =
          stream.stream().map(e -> new TrainingExample(e.getText(), e.getLabel(), 1)).toList();
      for (int at = 0; at < examples.size(); at += 16) {
        state = trainer.step(state, examples.subList(at, at + 16)).state();
      }
      assertThat(state.sha256()).isEqualTo(last.getStateSha256());
      return trainer.step(state, examples.subList(0, ASKED));
    }
  }

  private static void awaitReady(URI service) throws Exception {
    HttpClient http = HttpClient.newHttpClient();
    HttpRequest ready = HttpRequest.newBuilder(service.resolve("/health/ready")).build();
    Await.value(
        "the service is ready",
        () -> http.send(ready, HttpResponse.BodyHandlers.discarding()).statusCode(),
        status -> status == 200);
  }

  private static JsonNode predict(URI service, String text) throws Exception {
    HttpResponse<String> response =
        HttpClient.newHttpClient()
            .send(
                HttpRequest.newBuilder(service.resolve("/v1/predict"))
                    .header("Content-Type", "application/json")
                    .POST(
                        HttpRequest.BodyPublishers.ofString(
                            JSON.writeValueAsString(
                                Map.of("domain", WordNet.DOMAIN, "text", text))))
                    .build(),
                HttpResponse.BodyHandlers.ofString());
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return JSON.readTree(response.body());
  }

  private static String models() {
    return System.getProperty("millrace.test.models");
  }
}
