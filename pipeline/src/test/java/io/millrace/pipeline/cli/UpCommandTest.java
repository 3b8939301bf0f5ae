package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.schemas.registry.SchemaRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code up} and {@code produce} as a user has them: processes. */
@Tag("integration")
@Timeout(180)
class UpCommandTest {
  private static final String KAFKA = "Kafka            ";
  private static final String REGISTRY = "Schema registry  ";

  @TempDir private Path directory;

  @Test
  void dataOutlivesAKillAndTheRegistryDoesNot() throws Exception {
    Path file = Files.writeString(directory.resolve("file.jsonl"), line() + "\n{\n" + line());
    ProcessHandle registry;
    try (ChildJvm up = up()) {
      String kafka = up.awaitLine(l -> l.startsWith(KAFKA)).substring(KAFKA.length());
      String url = up.awaitLine(l -> l.startsWith(REGISTRY)).substring(REGISTRY.length());
      assertThat(produce(file, kafka, url))
          .last()
          .asString()
          .startsWith("file.jsonl: 2 examples and 1 dead letters are in Kafka (")
          .endsWith(" s): BrokenJson 1");

      List<String> second = run("up", "--data", directory.resolve("stack").toString());
      assertThat(second).last().asString().contains("is in use by process " + up.handle().pid());

      registry = up.handle().children().findFirst().orElseThrow();
      up.kill();
    }
    registry.onExit().get(30, TimeUnit.SECONDS);

    try (ChildJvm up = up()) {
      String kafka = up.awaitLine(l -> l.startsWith(KAFKA)).substring(KAFKA.length());
      String url = up.awaitLine(l -> l.startsWith(REGISTRY)).substring(REGISTRY.length());
      assertThat(new SchemaRegistry(url).schema(1)).isPresent();
      assertThat(produce(file, kafka, url)).last().asString().contains("2 examples");
      registry = up.handle().children().findFirst().orElseThrow();

      up.terminate();
      assertThat(up.awaitEnd()).last().isEqualTo("Stopping ...");
      assertThat(up.exitCode()).isEqualTo(143);
      assertThat(registry.isAlive()).isFalse();
    }
  }

  @Test
  void aBrokerThatCannotGoOnIsNotSilent() throws Exception {
    try (ChildJvm up = up()) {
      up.awaitLine(l -> l.startsWith(KAFKA));
      // As a disk would that is full or gone.
      try (Stream<Path> files = Files.walk(directory.resolve("stack").resolve("kafka"))) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(file);
        }
      }

      assertThat(up.awaitEnd())
          .last()
          .asString()
          .startsWith("millrace: the embedded Kafka broker cannot go on");
      assertThat(up.exitCode()).isEqualTo(1);
    }
  }

  private ChildJvm up() throws IOException {
    return start(
        "up",
        "--data",
        directory.resolve("stack").toString(),
        "--kafka-port=0",
        "--registry-port=0",
        "--flink-port=0");
  }

  private List<String> produce(Path file, String kafka, String registry) throws Exception {
    return run(
        "produce",
        file.toString(),
        "--set",
        "kafka.bootstrap.servers=" + kafka,
        "--set",
        "schema.registry.url=" + registry);
  }

  private List<String> run(String... arguments) throws Exception {
    try (ChildJvm child = start(arguments)) {
      return child.awaitEnd();
    }
  }

  private ChildJvm start(String... arguments) throws IOException {
    return new ChildJvm(directory.resolve("logs"), MillraceCommand.class.getName(), arguments);
  }

  private static String line() {
    return "{\"domain\":\"d\",\"text\":\"t\",\"label\":\"l\"}";
  }
}
