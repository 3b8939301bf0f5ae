package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.compare.TrainMethod;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.TrainingStep;
import io.millrace.svft.method.AdapterMethods;
import io.millrace.svft.method.MethodForm;
import io.millrace.testing.Await;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code compare} as a user has it: a process, with a process for each method. */
@Tag("integration")
@Timeout(240)
class CompareCommandTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path directory;

  @Test
  void everyMethodIsTrainedOnTheWholeStream() throws Exception {
    List<String> lines = new ArrayList<>(lines(40, 1));
    lines.add(3, "");
    lines.add(7, "{\"domain\":\"d\",\"text\":");
    lines.add("{\"domain\":\"d\",\"text\":\"no label\"}");
    Path report = directory.resolve("report.json");

    List<String> said =
        run(
            0,
            "--input",
            write(lines).toString(),
            "--report",
            report.toString(),
            "--methods",
            "svft:plain, lora:2,head,full;weights=query+value",
            "--set",
            "training.headLearningRate=0.02");

    JsonNode numbers = JSON.readTree(report.toFile());
    assertThat(names(numbers))
        .containsExactly(
            "input",
            "inputSha256",
            "examples",
            "skipped",
            "skippedByClass",
            "batchSize",
            "threads",
            "model",
            "methods",
            "failed");
    assertThat(numbers.path("input").asText()).isEqualTo("stream.jsonl");
    assertThat(numbers.path("examples").asInt()).isEqualTo(40);
    assertThat(numbers.path("skipped").asInt()).isEqualTo(2);
    assertThat(numbers.path("skippedByClass").toString())
        .isEqualTo("{\"BrokenJson\":1,\"MissingLabel\":1}");
    assertThat(numbers.path("batchSize").asInt()).isEqualTo(16);
    assertThat(numbers.path("model").asText()).isEqualTo("minilm");
    assertThat(numbers.path("failed")).isEmpty();

    // MiniLM: 6 layers, 384 wide, 1536 in between.
    Map<String, Integer> trainables = new LinkedHashMap<>();
    trainables.put("svft:plain", 6 * 6 * 384);
    trainables.put("lora:2", 6 * 2 * (4 * (384 + 384) + 2 * (384 + 1536)));
    trainables.put("head", 0);
    trainables.put("full;weights=query+value", 6 * 2 * 384 * 384);
    assertThat(numbers.path("methods").findValuesAsText("method"))
        .containsExactlyElementsOf(trainables.keySet());
    for (JsonNode each : numbers.path("methods")) {
      String method = each.path("method").asText();
      int values = trainables.get(method);
      assertThat(each.path("trainableParameters").asInt()).as(method).isEqualTo(values);
      int head = 4 * (384 + 1) * labels(lines);
      assertThat(each.path("adapterBytes").asInt())
          .as(method)
          .isBetween(4 * values + head, 4 * values + head + 16 * 1024);
      assertThat(each.path("examples").asInt()).isEqualTo(40);
      assertThat(each.path("steps").asInt()).isEqualTo(3);
      assertThat(each.path("deadLetters").asInt()).isZero();
      assertThat(each.path("thirds")).hasSize(3);
      double accuracy = each.path("prequentialAccuracy").asDouble();
      assertThat(each.path("accuracyStandardError").asDouble())
          .isCloseTo(Math.sqrt(accuracy * (1 - accuracy) / 40), within(1e-9));
      assertThat(each.path("thirdsStandardError")).hasSize(3);
      assertThat(each.path("examplesPerSecond").asDouble()).isPositive();
      assertThat(each.path("peakRssMiB").asInt()).isGreaterThan(100);
      assertThat(each.path("domains").path("domain-0").path("examples").asInt()).isEqualTo(40);
      assertThat(said)
          .as("rows of %s", method)
          .filteredOn(line -> line.startsWith(method) && !line.contains("accuracy"))
          .hasSize(2);
    }
    JsonNode lora = numbers.path("methods").get(1);
    assertThat(lora.path("spec").asText()).isEqualTo("lora:2;alpha=4");
    assertThat(lora.path("learningRate").asDouble()).isEqualTo(5e-4);
    assertThat(numbers.path("methods").get(2).path("learningRate").isNull()).isTrue();
    assertThat(said).allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(100));
  }

  @Test
  void theHelpNamesEveryMethodAndTheWeightsThatItAdapts() {
    List<String> help = Said.run("compare", "--help").out();

    for (MethodForm form : AdapterMethods.forms()) {
      assertThat(help).anyMatch(line -> line.matches("  " + form.id() + "(:[A-Z]+)? .*"));
    }
    String text = String.join(" ", help).replaceAll(" +", " ");
    assertThat(text)
        .contains(";weights=ROLE+ROLE all but norms, head: ")
        .contains("Unless told all six; of ia3 key, value, output; of svft:top-k the first four")
        .contains("Default: svft:plain,svft:banded:1,lora:8,dora:8, vera,boft,full,head");
    assertThat(help).allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(80));
  }

  @Test
  void theStatesAreThoseOfTheJob() throws Exception {
    Path file = write(lines(80, 3));
    Path data = directory.resolve("data");
    Path report = directory.resolve("report.json");

    run(
        0,
        "--input",
        file.toString(),
        "--report",
        report.toString(),
        "--methods",
        "svft:plain",
        "--set",
        "batch.size=12");
    try (ChildJvm train =
        child(
            "train",
            "--input",
            file.toString(),
            "--data",
            data.toString(),
            "--set",
            "batch.size=12",
            "--set",
            "model.store=" + System.getProperty("millrace.test.models"))) {
      List<String> said = train.awaitEnd();
      assertThat(train.exitCode()).as("%s", said).isZero();
    }

    Map<String, TrainingStep> last = lastSteps(data);
    assertThat(last).hasSize(3);
    JsonNode domains = JSON.readTree(report.toFile()).at("/methods/0/domains");
    assertThat(names(domains)).containsExactlyElementsOf(last.keySet());
    last.forEach(
        (name, step) -> {
          JsonNode domain = domains.path(name);
          assertThat(domain.path("steps").asLong()).isEqualTo(step.getStep());
          assertThat(domain.path("stateSha256").asText()).isEqualTo(step.getStateSha256());
        });
  }

  @Test
  void aMethodWhoseProcessIsKilledIsNamedAndTheOthersGoOn() throws Exception {
    Path report = directory.resolve("report.json");
    try (ChildJvm compare =
        child(
            arguments(
                "--input",
                write(lines(40, 1)).toString(),
                "--report",
                report.toString(),
                "--methods",
                "svft:plain,head"))) {
      awaitMethod(compare).destroyForcibly();
      List<String> said = compare.awaitEnd();

      assertThat(compare.exitCode()).isEqualTo(1);
      assertThat(said)
          .filteredOn(line -> line.startsWith("millrace: "))
          .singleElement()
          .asString()
          .startsWith("millrace: svft:plain failed: its process was ended by signal 9 (details in ")
          .contains("millrace.log");
    }
    JsonNode numbers = JSON.readTree(report.toFile());
    assertThat(numbers.path("methods").findValuesAsText("method")).containsExactly("head");
    assertThat(numbers.path("failed").findValuesAsText("method")).containsExactly("svft:plain");
  }

  @Test
  void whoeverStopsItOrKillsItEndsTheMethodsProcessToo() throws Exception {
    Path file = write(lines(2000, 1));
    try (ChildJvm compare = child(arguments("--input", file.toString()))) {
      ProcessHandle method = awaitMethod(compare);
      compare.terminate();

      assertThat(compare.awaitEnd()).last().isEqualTo("Stopped.");
      assertThat(method.isAlive()).isFalse();
    }
    try (ChildJvm compare = child(arguments("--input", file.toString()))) {
      ProcessHandle method = awaitMethod(compare);
      compare.kill();

      method.onExit().get();
    }
  }

  @Test
  void aMistakeIsOneLineAndExitCodeTwo() throws Exception {
    String file = write(lines(1, 1)).toString();
    String broken = Files.writeString(directory.resolve("broken.jsonl"), "{\n[]\n").toString();

    assertThat(mistake("--input", "none.jsonl")).contains("none.jsonl does not exist");
    assertThat(mistake("--input", broken))
        .contains("broken.jsonl holds no example", "1 BrokenJson", "1 NotAnObject");
    assertThat(mistake("--input", file, "--methods", "svft:plain,lore:8")).contains("\"lore:8\"");
    assertThat(mistake("--input", file, "--methods", "head,")).contains("method \"\"");
    assertThat(mistake("--input", file, "--methods", "svft:banded")).contains("banded");
    assertThat(mistake("--input", file, "--methods", "lora:8,head,lora:8;alpha=16"))
        .contains("lora:8;alpha=16 stands there twice");
    assertThat(mistake("--input", file, "--set", "training.learningRat=1"))
        .contains("training.learningRate");
    assertThat(mistake("--input", file, "--report", "/nowhere/r.json")).contains("--report");
    assertThat(mistake("--input", file, "--set", "model.name=nonsense")).contains("\"nonsense\"");
    assertThat(mistake("--input", file, "--set", "model.store=s3://models"))
        .contains("model.store");
  }

  private String mistake(String... options) throws Exception {
    List<String> said = run(2, options);
    assertThat(said).hasSize(1);
    return said.get(0);
  }

  private List<String> run(int exitCode, String... options) throws Exception {
    try (ChildJvm compare = child(arguments(options))) {
      List<String> said = compare.awaitEnd();
      assertThat(compare.exitCode()).as("%s", said).isEqualTo(exitCode);
      return said;
    }
  }

  private static String[] arguments(String... options) {
    List<String> arguments = new ArrayList<>(List.of("compare"));
    arguments.addAll(List.of("--set", "model.store=" + System.getProperty("millrace.test.models")));
    arguments.addAll(List.of(options));
    return arguments.toArray(String[]::new);
  }

  private ChildJvm child(String... arguments) throws IOException {
    return new ChildJvm(directory.resolve("logs"), MillraceCommand.class.getName(), arguments);
  }

  /** The process of the method that is being trained. */
  private static ProcessHandle awaitMethod(ChildJvm compare) throws Exception {
    return Await.value(
            "a process trains a method",
            () -> {
              assertThat(compare.handle().isAlive()).isTrue();
              return compare.handle().children().filter(CompareCommandTest::isMethod).findFirst();
            },
            Optional::isPresent)
        .orElseThrow();
  }

  /** Not what is about to become it: Java's own information cuts long command lines off. */
  private static boolean isMethod(ProcessHandle process) {
    try {
      Path proc = Path.of("/proc", String.valueOf(process.pid()), "cmdline");
      return Files.readString(proc).contains(TrainMethod.class.getName());
    } catch (IOException e) {
      return false;
    }
  }

  private Map<String, TrainingStep> lastSteps(Path data) {
    Map<String, TrainingStep> last = new TreeMap<>();
    RunRecord.Listener listener =
        new RunRecord.Listener() {
          @Override
          public void took(TrainingStep step) {
            last.put(step.getDomain(), step);
          }
        };
    Settings settings = Settings.of(TrainCommand.SETTINGS, null, List.of());
    try (EmbeddedStack stack = EmbeddedStack.start(data, EmbeddedStack.Ports.FREE, settings);
        RunRecord record = new RunRecord(new Connection(stack.connect(settings)), listener)) {
      record.readToEnd();
    }
    return last;
  }

  private Path write(List<String> lines) throws IOException {
    return Files.write(directory.resolve("stream.jsonl"), lines);
  }

  /** WordNet's definitions, dealt out unevenly to that many domains. */
  private static List<String> lines(int count, int domains) throws IOException {
    List<String> lines = new ArrayList<>();
    for (LabeledExample example : WordNet.load().definitions(count)) {
      lines.add(
          JSON.writeValueAsString(
              Map.of(
                  "domain", "domain-" + lines.size() % 7 % domains,
                  "text", example.getText(),
                  "label", example.getLabel())));
    }
    return lines;
  }

  private static int labels(List<String> lines) throws IOException {
    List<String> labels = new ArrayList<>();
    for (String line : lines) {
      if (line.endsWith("}") && line.contains("\"label\"")) {
        labels.add(JSON.readTree(line).path("label").asText());
      }
    }
    return (int) labels.stream().distinct().count();
  }

  private static List<String> names(JsonNode object) {
    List<String> names = new ArrayList<>();
    object.fieldNames().forEachRemaining(names::add);
    return names;
  }
}
