package io.millrace.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.cli.MillraceCommand;
import io.millrace.pipeline.embedded.EmbeddedKafka;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import kafka.server.KafkaConfig;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** Holds docker-compose.yml and docker/Dockerfile against what the code and Kafka accept. */
@Tag("unit")
class ComposeFileTest {
  private static final Path HOME = Path.of(System.getProperty("millrace.home"));

  private static ComposeFile compose;
  private static String dockerfile;

  @BeforeAll
  static void read() throws IOException {
    compose = ComposeFile.read(HOME.resolve("docker-compose.yml"));
    dockerfile = Files.readString(HOME.resolve("docker/Dockerfile"));
  }

  @Test
  void everyPortIsPublishedToLoopbackOnly() {
    List<String> ports =
        compose.services().keySet().stream()
            .flatMap(service -> compose.list(service, "ports").stream())
            .toList();

    assertThat(ports).hasSize(4).allMatch(port -> port.startsWith("127.0.0.1:"));
  }

  @Test
  void everyImageIsOfAFixedVersionAndTheOneTheBuildUses() throws Exception {
    List<String> images =
        Stream.concat(
                compose.services().values().stream()
                    .map(service -> String.valueOf(service.get("image"))),
                matches("(?m)^FROM (\\S+)", dockerfile).map(from -> from.group(1)))
            .distinct()
            .toList();

    assertThat(images)
        .allMatch(image -> image.matches("[a-z/-]+:\\d+\\.\\d+\\.\\d\\S*"))
        .contains("apache/kafka:" + version("kafka"))
        .contains("flink:" + version("flink") + "-java17")
        .contains("apicurio/apicurio-registry:" + version("apicurio"));
  }

  @Test
  void nothingRunsAsRoot() {
    List<String> users =
        Stream.of(dockerfile.split("(?m)^FROM "))
            .filter(stage -> stage.contains(" AS ") && !stage.contains(" AS build"))
            .map(stage -> matches("(?m)^USER (\\S+)", stage).map(user -> user.group(1)).toList())
            .map(inOrder -> inOrder.get(inOrder.size() - 1))
            .toList();

    assertThat(users).containsExactly("millrace", "flink", "1001");
    assertThat(compose.services().values())
        .allMatch(service -> service.containsKey("build") || "appuser".equals(service.get("user")))
        .allMatch(service -> service.get("cap_drop").equals(List.of("ALL")));
  }

  @Test
  void theCommandsTakeTheirOptionsAndSettings() {
    for (String service : List.of("topics", "submit")) {
      CommandLine.ParseResult parsed =
          new CommandLine(new MillraceCommand())
              .parseArgs(compose.list(service, "command").toArray(String[]::new));
      CommandLine command = parsed.subcommand().commandSpec().commandLine();
      SettingsOptions options = (SettingsOptions) command.getMixins().get("options");

      assertThat(options.load().explicit()).containsKey("kafka.bootstrap.servers");
    }
  }

  /** A session of one job manager forgets its jobs when that ends; something has to stay. */
  @Test
  void theJobIsSupervised() {
    assertThat(compose.list("submit", "command")).contains("--wait", "--if-running=ok");
    assertThat(compose.services().get("submit")).containsEntry("restart", "unless-stopped");
  }

  @Test
  void theLaunchersMainClassesExist() throws Exception {
    String launcher = Files.readString(HOME.resolve("bin/millrace"));
    List<MatchResult> classes =
        matches("(?m)^ *main=(io\\.millrace\\.(\\w+)\\.[\\w.]+)$", launcher).toList();

    assertThat(classes).hasSize(3);
    assertThat(classes)
        .map(main -> HOME.resolve(main.group(2) + "/src/main/java/" + file(main.group(1))))
        .allMatch(Files::exists);
    assertThat(dockerfile).contains("ENTRYPOINT [\"sh\", \"/opt/millrace/bin/millrace\"]");
  }

  @Test
  void kafkaTakesItsEnvironment() {
    Properties properties = new Properties();
    compose
        .environment("kafka")
        .forEach(
            (name, value) -> {
              if (name.startsWith("KAFKA_") && !name.equals("KAFKA_HEAP_OPTS")) {
                String key = name.substring("KAFKA_".length()).toLowerCase(Locale.ROOT);
                properties.put(key.replace('_', '.'), value);
              }
            });

    assertThat(AbstractKafkaConfig.CONFIG_DEF.names())
        .containsAll(properties.stringPropertyNames());
    assertThat(KafkaConfig.fromProps(properties).messageMaxBytes())
        .isEqualTo(EmbeddedKafka.LARGEST_RECORD);
    Uuid id = Uuid.fromString(compose.environment("kafka").get("CLUSTER_ID"));
    assertThat(id).isNotIn(Uuid.RESERVED);
  }

  private static String version(String product) throws IOException {
    String pom = Files.readString(HOME.resolve("pom.xml"));
    return matches("<" + product + "\\.version>(.*)</", pom).findFirst().orElseThrow().group(1);
  }

  private static String file(String className) {
    return className.replace('.', '/') + ".java";
  }

  private static Stream<MatchResult> matches(String pattern, String text) {
    return Pattern.compile(pattern).matcher(text).results();
  }
}
