package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.schemas.LabeledExample;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Domains with settings of their own, from {@code train} to {@code replay}. */
@Tag("integration")
@Timeout(300)
class DomainSettingsTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String STORE = "model.store=" + System.getProperty("millrace.test.models");

  @TempDir private Path directory;

  @Test
  void eachDomainTrainsAndReplaysAsWithItsSettingsForTheWholeJob() throws Exception {
    Path file = Files.write(directory.resolve("stream.jsonl"), lines(160));
    Path config =
        Files.writeString(
            directory.resolve("own.properties"),
            """
            domains.films.adapter.method=lora
            domains.films.adapter.weights=value
            domains.films.lora.rank=2
            domains.shops/*.batch.size=4
            domains.shops/*.svft.pattern=banded:1
            domains.shops/2.training.learningRate=0.001
            publish.everySteps=2
            checkpoint.interval=300ms
            """);
    JsonNode own = train(file, "own", "--config", config.toString());
    JsonNode films =
        train(
            file,
            "films",
            "--set=adapter.method=lora",
            "--set=adapter.weights=value",
            "--set=lora.rank=2",
            "--set=publish.everySteps=2");

    assertThat(own.path("films")).isEqualTo(films.path("films"));
    assertThat(own.path("films").path("lastSha256").asText()).hasSize(64);
    assertThat(own.path("shops/1").path("steps").asInt()).isEqualTo(10);
    Said replayed = run("replay", "--all");
    assertThat(replayed.exitCode()).as("%s", replayed).isZero();
    assertThat(replayed.text()).contains("4 of 4 domains are the same");
    Map<String, String> recorded =
        Map.of("shops/1", "0.0173", "shops/2", "0.001", "films", "5.0E-4", "others", "0.03");
    for (Map.Entry<String, String> each : recorded.entrySet()) {
      JsonNode shown =
          JSON.readTree(run("adapters", "show", "--json", "--domain=" + each.getKey()).text());
      assertThat(shown.findPath("training.learningRate").asText())
          .as(each.getKey())
          .startsWith(each.getValue());
    }
  }

  @Test
  void amongTheSettingsOfAReplayTheyAreRefused() {
    Said said = Said.run("replay", "--all", "--set=domains.films.training.beta1=0.8");

    assertThat(said.exitCode()).isEqualTo(2);
    assertThat(said.line())
        .startsWith("millrace: domains.films.training.beta1: a replay takes the settings of each");
  }

  /** The examples of each domain by their order in the file; 40 of each. */
  private static List<String> lines(int count) throws IOException {
    List<String> domains = List.of("films", "shops/1", "shops/2", "others");
    List<String> lines = new ArrayList<>();
    for (LabeledExample example : WordNet.load().definitions(count)) {
      lines.add(
          JSON.writeValueAsString(
              Map.of(
                  "domain", domains.get(lines.size() % domains.size()),
                  "text", example.getText(),
                  "label", example.getLabel())));
    }
    return lines;
  }

  /** Trains; gives the report's domains. */
  private JsonNode train(Path file, String data, String... settings) throws Exception {
    List<String> arguments = new ArrayList<>(List.of("train", "--input", file.toString()));
    arguments.addAll(List.of("--data", directory.resolve(data).toString()));
    arguments.addAll(List.of("--report", directory.resolve(data + ".json").toString()));
    arguments.addAll(List.of("--set", STORE));
    arguments.addAll(List.of(settings));
    try (ChildJvm child = child(arguments)) {
      List<String> said = child.awaitEnd();
      assertThat(child.exitCode()).as("said: %s", said).isZero();
    }
    return JSON.readTree(directory.resolve(data + ".json").toFile()).path("domains");
  }

  private ChildJvm child(List<String> arguments) throws IOException {
    return new ChildJvm(
        directory.resolve("logs"),
        MillraceCommand.class.getName(),
        arguments.toArray(String[]::new));
  }

  private Said run(String... command) {
    List<String> all = new ArrayList<>(List.of(command));
    all.addAll(List.of("--data", directory.resolve("own").toString()));
    if (command[0].equals("replay")) {
      all.addAll(List.of("--set", STORE));
    }
    return Said.run(all.toArray(String[]::new));
  }
}
