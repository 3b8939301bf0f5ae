package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.schemas.LabeledExample;
import io.millrace.svft.model.ModelStore;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.apache.flink.util.FileUtils;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code train} as a user has it: a process, and sometimes a killed one. */
@Tag("integration")
@Timeout(400)
class TrainCommandTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path directory;

  @Test
  void aRunThatIsKilledTwiceEndsAsOneThatIsNot() throws Exception {
    Path file = Files.write(directory.resolve("stream.jsonl"), lines(960));

    JsonNode undisturbed = train(file, "undisturbed");

    Path data = directory.resolve("killed");
    for (int checkpoint : List.of(3, 7)) {
      try (ChildJvm child = start(file, "killed")) {
        Checkpoints.await(data, checkpoint, child);
        child.kill();
      }
    }
    JsonNode killed = train(file, "killed");

    assertThat(undisturbed.path("examples").asInt()).isEqualTo(960);
    assertThat(undisturbed.path("domains").size()).isEqualTo(3);
    assertThat(killed.path("domains")).isEqualTo(undisturbed.path("domains"));
    for (String field : List.of("examples", "steps", "versions", "deadLetters", "meanLoss")) {
      assertThat(killed.path(field)).as(field).isEqualTo(undisturbed.path(field));
    }
  }

  /** Flink deletes the checkpoints of a job that has ended, and the process may die just then. */
  @Test
  void aRunThatIsKilledWhenItsJobHasEndedTrainsNothingAgain() throws Exception {
    Path file = Files.write(directory.resolve("stream.jsonl"), lines(96));
    JsonNode ended = train(file, "ended");
    Path description = directory.resolve("ended").resolve("run.json");
    Files.writeString(description, Files.readString(description).replace("true", "false"));
    assertThat(Checkpoints.reached(directory.resolve("ended"), 1)).isFalse();

    JsonNode again = train(file, "ended");

    assertThat(again.path("domains")).isEqualTo(ended.path("domains"));
    assertThat(again.path("steps")).isEqualTo(ended.path("steps"));
  }

  @Test
  void aRunWhoseCheckpointsAreLostIsNotPassedOffAsComplete() throws Exception {
    Path file = Files.write(directory.resolve("stream.jsonl"), lines(960));
    Path data = directory.resolve("lost");
    try (ChildJvm child = start(file, "lost")) {
      Checkpoints.await(data, 6, child);
      child.kill();
    }
    FileUtils.deleteDirectory(data.resolve("checkpoints").toFile());

    try (ChildJvm child = start(file, "lost")) {
      List<String> said = child.awaitEnd();
      assertThat(child.exitCode()).isEqualTo(1);
      assertThat(said.get(said.size() - 1)).contains("no checkpoint to go on from: remove it");
    }
  }

  @Test
  void badLinesAreDeadLettersAndTheGoodOnesTrain() throws Exception {
    List<byte[]> bad = new ArrayList<>();
    for (String line :
        List.of(
            "{\"domain\":\"d\",\"text\":",
            "{\"domain\":\"d\",\"text\":\"no label\"}",
            "{\"domain\":\"d\",\"text\":\"\",\"label\":\"l\"}",
            "{\"domain\":\"d\",\"text\":\"" + "x".repeat(64 * 1024 + 1) + "\",\"label\":\"l\"}",
            "{\"domain\":\"d\",\"text\":\"nul \\u0000\",\"label\":\"l\"}",
            "{\"domain\":\"d\",\"text\":\"half \\ud83d\",\"label\":\"l\"}",
            "{\"text\":\"no domain\",\"label\":\"l\"}",
            "{\"domain\":\"d\",\"text\":\"t\",\"label\":\"l\",\"eventTime\":\"yesterday\"}",
            "{\"domain\":\"d\",\"text\":\"t\",\"label\":\"" + "l".repeat(10_000) + "\"}")) {
      bad.add(line.getBytes(StandardCharsets.UTF_8));
    }
    Path file = directory.resolve("mixed.jsonl");
    List<String> good = lines(40);
    try (var out = Files.newOutputStream(file)) {
      for (int i = 0; i < good.size(); i++) {
        if (i < bad.size()) {
          out.write(bad.get(i));
          out.write('\n');
        }
        out.write(good.get(i).getBytes(StandardCharsets.UTF_8));
        out.write('\n');
      }
      out.write(new byte[] {'{', '"', (byte) 0xff, 0, '\n'});
    }

    JsonNode report = train(file, "mixed");

    assertThat(report.path("examples").asInt()).isEqualTo(40);
    assertThat(report.path("deadLetters").asInt()).isEqualTo(10);
    assertThat(JSON.convertValue(report.path("deadLettersByClass"), Map.class))
        .containsOnlyKeys(
            "BrokenJson",
            "MissingLabel",
            "BlankText",
            "TextTooLarge",
            "NulCharacter",
            "LoneSurrogate",
            "MissingDomain",
            "BadEventTime",
            "LabelTooLarge",
            "InvalidUtf8");
  }

  /** Packed, by standard input: names that color, erase and forge, and labels that look alike. */
  @Test
  void whatNamesHoldIsShownAndSimilarLabelsAreNamed() throws Exception {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (OutputStream out = new GZIPOutputStream(packed)) {
      out.write(input("escape-domain.jsonl"));
      for (String label : List.of("pos", " pos ", "Pos")) {
        out.write(
            JSON.writeValueAsBytes(Map.of("domain", "e\u202eca", "text", "x", "label", label)));
        out.write('\n');
      }
    }

    List<String> said;
    try (ChildJvm child = start(Path.of("-"), "names")) {
      child.write(packed.toByteArray());
      said = child.awaitEnd();
      assertThat(child.exitCode()).as("said: %s", said).isZero();
    }

    assertThat(said)
        .anyMatch(
            line ->
                line.startsWith(
                    "a\\u001b[31mRED\\u001b]0;owned\\u0007\\rsum: version 9, sha256 forged: version 1,"))
        .anyMatch(line -> line.startsWith("b\\u202etxet: version 1, sha256 "))
        .anyMatch(line -> line.startsWith("c\\nd: version 1, sha256 0000: version 1, sha256 "))
        .contains(
            "domain e\\u202eca: \"pos\" and \" pos \" and \"Pos\" are 3 labels, which differ by case or"
                + " white space only")
        .allMatch(TrainCommandTest::isPlain);
    String log = Files.readString(directory.resolve("logs").resolve("millrace.log"));
    assertThat(log).contains("domain e\\u202eca: ").doesNotContain("%shown");
    assertThat(log.lines()).allMatch(TrainCommandTest::isPlain);
    JsonNode report = JSON.readTree(directory.resolve("names.json").toFile());
    assertThat(report.path("domains").has("b\u202etxet")).isTrue();
  }

  private static boolean isPlain(String line) {
    return line.chars()
        .allMatch(c -> c == '\t' || !(Character.isISOControl(c) || c == 0x202e || c == 0x2028));
  }

  private static byte[] input(String name) throws IOException {
    try (InputStream in = TrainCommandTest.class.getResourceAsStream("/inputs/" + name)) {
      return in.readAllBytes();
    }
  }

  @Test
  void aFileOfWhichNothingCanBeTrainedOnFailsWithTheReason() throws Exception {
    Path file = Files.write(directory.resolve("int-labels.jsonl"), input("int-labels.jsonl"));

    try (ChildJvm child = start(file, "nothing")) {
      List<String> said = child.awaitEnd();

      assertThat(child.exitCode()).isEqualTo(1);
      assertThat(said.get(said.size() - 1))
          .startsWith(
              "millrace: file "
                  + file
                  + " holds no example that can be trained on: 8 NotAString (domain, text and label"
                  + " are strings; input.labels=scalars takes whole numbers, true and false as"
                  + " labels)");
    }
    assertThat(directory.resolve("nothing.json")).doesNotExist();
  }

  @Test
  void aJobThatOnlyRestartsIsGivenUpWithItsReason() throws Exception {
    Path file = Files.write(directory.resolve("stream.jsonl"), lines(40));

    try (ChildJvm child =
        start(
            file,
            "hopeless",
            "flink.state.backend.rocksdb.localdir=" + file,
            "flink.restart-strategy.exponential-delay.max-backoff=500 ms")) {
      List<String> said = child.awaitEnd();

      // Whichever of the tasks with state comes first.
      String reason =
          ": No local storage directories available. Local DB files directory '%s' does not exist"
                  .formatted(file)
              + " and cannot be created.";
      assertThat(said)
          .filteredOn(line -> line.startsWith("the job restarts"))
          .hasSize(3)
          .allMatch(line -> line.endsWith(reason))
          .first()
          .asString()
          .startsWith("the job restarts (1st time): ");
      assertThat(said.get(said.size() - 1))
          .startsWith("millrace: the job failed 3 times in the same way on the same input: ")
          .contains(reason + "; the same command goes on from here");
      assertThat(child.exitCode()).isEqualTo(1);
    }
  }

  /** Slots follow parallelism: a job that lacks one would wait for it for ever. */
  @Test
  void aRunMayHaveSeveralTrainingOperators() throws Exception {
    Path file = Files.write(directory.resolve("stream.jsonl"), lines(40));

    try (ChildJvm child = start(file, "parallel", "job.parallelism=3")) {
      List<String> said = child.awaitEnd();
      assertThat(child.exitCode()).as("said: %s", said).isZero();
    }

    JsonNode report = JSON.readTree(directory.resolve("parallel.json").toFile());
    assertThat(report.path("examples").asInt()).isEqualTo(40);
    assertThat(report.path("domains").size()).isEqualTo(3);
  }

  @Test
  void aMistakeIsOneLineAndExitCodeTwo() throws Exception {
    Path file = Files.write(directory.resolve("stream.jsonl"), lines(1));
    Path occupied = Files.createDirectory(directory.resolve("occupied"));
    Files.writeString(occupied.resolve("thesis.txt"), "do not delete");
    Map<String, String[]> mistakes =
        Map.of(
            "missing.jsonl",
            new String[] {"train", "--input", directory.resolve("missing.jsonl").toString()},
            "--speed",
            new String[] {"train", "--input", file.toString(), "--speed", "9"},
            "training.learningRat",
            new String[] {"train", "--input", file.toString(), "--set", "training.learningRat=1"},
            "batch.size",
            new String[] {"train", "--input", file.toString(), "--set", "batch.size=0"},
            "full: a version of minilm takes more than 42467328 bytes",
            tooLarge(file, "adapter.method=full", "publish.recordBytes=1MiB"),
            "a record of the topic adapters holds 67108864: fewer than 43541 fit",
            tooLarge(file, "limits.labels=50000"),
            "--report",
            new String[] {"train", "--input", file.toString(), "--report", "/nowhere/r.json"},
            "publish.signingKey",
            new String[] {"train", "--input", file.toString(), "--set", "publish.signingKey=/no"},
            "occupied",
            new String[] {"train", "--input", file.toString(), "--data", occupied.toString()});
    for (Map.Entry<String, String[]> mistake : mistakes.entrySet()) {
      try (ChildJvm child = child(mistake.getValue())) {
        List<String> said = child.awaitEnd();
        assertThat(said).as(mistake.getKey()).hasSize(1);
        assertThat(said.get(0)).startsWith("millrace: ").contains(mistake.getKey());
        assertThat(child.exitCode()).isEqualTo(2);
      }
    }
    assertThat(occupied.resolve("thesis.txt")).exists();
  }

  /** With a base model that is there: it need not be prepared before it can be judged. */
  private String[] tooLarge(Path file, String... settings) {
    String models = System.getProperty("millrace.test.models");
    new ModelStore(Path.of(models)).prepare(ModelStore.MINILM, (model, done, total) -> {});
    List<String> arguments =
        new ArrayList<>(List.of("train", "--input", file.toString(), "--data"));
    arguments.addAll(
        List.of(directory.resolve("large").toString(), "--set", "model.store=" + models));
    for (String setting : settings) {
      arguments.addAll(List.of("--set", setting));
    }
    return arguments.toArray(String[]::new);
  }

  /** WordNet's definitions, dealt out to three domains. */
  private static List<String> lines(int count) throws IOException {
    List<String> lines = new ArrayList<>();
    for (LabeledExample example : WordNet.load().definitions(count)) {
      lines.add(
          JSON.writeValueAsString(
              Map.of(
                  "id", example.getId(),
                  "domain", "domain-" + lines.size() % 7 % 3,
                  "text", example.getText(),
                  "label", example.getLabel())));
    }
    return lines;
  }

  private JsonNode train(Path file, String data) throws Exception {
    try (ChildJvm child = start(file, data)) {
      List<String> said = child.awaitEnd();
      assertThat(child.exitCode()).as("said: %s", said).isZero();
    }
    return JSON.readTree(directory.resolve(data + ".json").toFile());
  }

  private ChildJvm start(Path file, String data, String... settings) throws IOException {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "train",
                "--input",
                file.toString(),
                "--data",
                directory.resolve(data).toString(),
                "--report",
                directory.resolve(data + ".json").toString(),
                "--set",
                "publish.everySteps=2",
                "--set",
                "checkpoint.interval=300ms",
                "--set",
                "model.store=" + System.getProperty("millrace.test.models")));
    for (String setting : settings) {
      arguments.addAll(List.of("--set", setting));
    }
    return child(arguments.toArray(String[]::new));
  }

  private ChildJvm child(String... arguments) throws IOException {
    return new ChildJvm(directory.resolve("logs"), MillraceCommand.class.getName(), arguments);
  }
}
