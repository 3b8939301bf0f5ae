package io.millrace.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.cli.MillraceCommand;
import io.millrace.pipeline.embedded.EmbeddedKafka;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
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

/** Holds the compose files and docker/Dockerfile against what the code and Kafka accept. */
@Tag("unit")
class ComposeFileTest {
  private static final Path HOME = Path.of(System.getProperty("millrace.home"));
  private static final String MAIN = "docker-compose.yml";
  private static final String GPU = "docker-compose.gpu.yml";
  private static final String SECRETS = "docker-compose.secrets.yml";

  /** Variables of the launcher. */
  private static final Set<String> NO_SETTINGS = Set.of("MILLRACE_JAVA_OPTS");

  private static ComposeFile compose;
  private static ComposeFile whole;
  private static String dockerfile;

  @BeforeAll
  static void read() throws IOException {
    compose = ComposeFile.read(MAIN);
    whole = ComposeFile.read(MAIN, GPU, SECRETS);
    dockerfile = Files.readString(HOME.resolve("docker/Dockerfile"));
  }

  @Test
  void everyPortIsPublishedToLoopbackOnlyAndOnce() {
    List<String> ports =
        whole.services().keySet().stream()
            .flatMap(service -> whole.<String>list(service, "ports").stream())
            .toList();

    assertThat(ports).isNotEmpty().doesNotHaveDuplicates();
    assertThat(ports).allMatch(port -> port.startsWith("127.0.0.1:"));
  }

  @Test
  void everyImageIsOfAFixedVersionAndTheOneTheBuildUses() throws Exception {
    List<String> stages =
        matches("(?m)^FROM \\S+ AS (\\S+)", dockerfile).map(from -> from.group(1)).toList();
    List<String> images =
        Stream.concat(
                whole.services().values().stream()
                    .map(service -> String.valueOf(service.get("image"))),
                matches("(?m)^FROM (\\S+)", dockerfile).map(from -> from.group(1)))
            .filter(image -> !stages.contains(image))
            .distinct()
            .toList();

    assertThat(images)
        .allMatch(image -> image.matches("[a-z/-]+:v?\\d+\\.\\d+\\.\\d\\S*"))
        .contains("apache/kafka:" + version("kafka"))
        .contains("flink:" + version("flink") + "-java17")
        .contains("apicurio/apicurio-registry:" + version("apicurio"));
    assertThat(whole.services().keySet())
        .filteredOn(service -> !whole.target(service).isEmpty())
        .allMatch(service -> stages.contains(whole.target(service)));
  }

  /** PyTorch's and RocksDB's libraries in the class paths are for no other. */
  @Test
  void whatHoldsNativeLibrariesSaysForWhichPlatform() throws Exception {
    assertThat(Files.readString(HOME.resolve("pom.xml"))).contains("linux-x86_64");
    assertThat(whole.services().keySet())
        .filteredOn(service -> whole.target(service).matches("millrace|serve|flink"))
        .isNotEmpty()
        .allMatch(service -> whole.services().get(service).get("platform").equals("linux/amd64"));
  }

  @Test
  void nothingRunsAsRoot() {
    List<String> users =
        Stream.of(dockerfile.split("(?m)^FROM "))
            .filter(stage -> stage.contains("\nUSER "))
            .map(stage -> matches("(?m)^USER (\\S+)", stage).map(user -> user.group(1)).toList())
            .map(inOrder -> inOrder.get(inOrder.size() - 1))
            .toList();

    assertThat(users).containsExactly("millrace", "flink", "1001");
    assertThat(dockerfile)
        .contains(
            "FROM java AS inference", "FROM inference AS serve", "FROM inference AS millrace");
    assertThat(whole.services().values())
        .allMatch(service -> service.containsKey("build") || service.containsKey("user"))
        .allMatch(service -> service.get("cap_drop").equals(List.of("ALL")));
  }

  @Test
  void theCommandsTakeTheirOptionsAndSettings() throws Exception {
    for (String service : List.of("topics", "submit", "tools")) {
      Settings settings = settings(service);

      assertThat(settings.explicit()).containsEntry("kafka.bootstrap.servers", "kafka:19092");
      assertThat(settings.explicit().values()).noneMatch(String::isEmpty);
    }
    assertThat(settings("submit").explicit())
        .containsEntry("training.device", "gpu")
        .containsEntry("publish.signingKey", "/run/secrets/signing-key")
        .containsEntry("log.console", "text");
  }

  /** One that no command has would be passed over in silence. */
  @Test
  void everyVariableIsASettingOfACommand() throws Exception {
    Set<String> known = variables("docs/settings.md");

    for (String service : whole.services().keySet()) {
      assertThat(whole.environment(service).keySet())
          .filteredOn(name -> name.startsWith("MILLRACE_") && !NO_SETTINGS.contains(name))
          .allMatch(known::contains);
    }
  }

  /** A session of one job manager forgets its jobs when that ends; something has to stay. */
  @Test
  void theJobIsSupervised() {
    assertThat(compose.<String>list("submit", "command"))
        .contains("--wait", "--stay", "--if-running=ok");
    assertThat(compose.services().get("submit")).containsEntry("restart", "unless-stopped");
  }

  @Test
  void servingHasReplicasEachWithAStoreOfItsOwn() {
    List<String> command = compose.list("serve", "command");
    String store = command.get(command.indexOf("--data") + 1);

    assertThat(compose.<String>list("serve", "ports")).isEmpty();
    assertThat(compose.services().get("serve")).doesNotContainKey("container_name");
    assertThat(compose.mounts("serve"))
        .filteredOn(mount -> mount[1].equals(store))
        .singleElement()
        .matches(mount -> mount[0].isEmpty());
    assertThat(compose.<String>list("proxy", "ports")).containsExactly("127.0.0.1:8080:8080");
  }

  @Test
  void aGpuTakesOneFileAndNoFolderIsMadeForItsLibraries() throws Exception {
    ComposeFile gpu = ComposeFile.read(MAIN, GPU);

    assertThat(compose.services().get("taskmanager-gpu")).containsEntry("scale", 0);
    assertThat(compose.environment("submit")).containsEntry("MILLRACE_TRAINING_DEVICE", "cpu");
    assertThat(gpu.services().get("taskmanager-gpu")).containsEntry("scale", 1);
    assertThat(gpu.environment("submit")).containsEntry("MILLRACE_TRAINING_DEVICE", "gpu");
    assertThat(gpu.map("taskmanager-gpu", "deploy").toString()).contains("device_ids=[0]");
    assertThat(gpu.mounts("taskmanager-gpu"))
        .anyMatch(mount -> mount[0].equals("libtorch") && gpu.volumes().contains("libtorch"));
  }

  @Test
  void everythingThatAServiceNamesIsThere() {
    for (String service : whole.services().keySet()) {
      assertThat(whole.services().keySet()).containsAll(whole.dependencies(service));
      assertThat(whole.secrets().keySet()).containsAll(whole.list(service, "secrets"));
      whole
          .environment(service)
          .forEach(
              (name, value) -> {
                if (value.startsWith("/run/secrets/")
                    && !name.equals("MILLRACE_PUBLISH_SIGNING_KEY")) {
                  assertThat(whole.<String>list(service, "secrets"))
                      .contains(value.substring("/run/secrets/".length()));
                }
              });
      for (String[] mount : whole.mounts(service)) {
        assertThat(mount[0])
            .as("%s: %s", service, mount[1])
            .matches(
                source ->
                    source.isEmpty()
                        || (source.startsWith(".")
                            ? Files.exists(HOME.resolve(source))
                            : whole.volumes().contains(source)));
      }
    }
    assertThat(whole.<String>list("taskmanager", "secrets")).contains("signing-key");
    assertThat(whole.<String>list("taskmanager-gpu", "secrets")).contains("signing-key");
  }

  @Test
  void prometheusScrapesServicesThatAreThere() throws Exception {
    String prometheus = Files.readString(HOME.resolve("deploy/prometheus/prometheus.yml"));
    List<String> names =
        Stream.concat(
                matches("names: \\[(.*)]", prometheus)
                    .flatMap(list -> Stream.of(list.group(1).split(", "))),
                matches("targets: \\[([\\w-]+):\\d+]", prometheus).map(target -> target.group(1)))
            .toList();

    assertThat(names).contains("serve", "jobmanager", "taskmanager");
    assertThat(compose.services().keySet()).containsAll(names);
    assertThat(Files.readString(HOME.resolve("docker/flink/config.yaml"))).contains("port: 9249");
    assertThat(prometheus).contains("jobmanager:9249", "port: 9249");
  }

  @Test
  void everyServiceHasAHealthCheckAndABoundForMemoryAndLogs() {
    for (Map.Entry<String, Map<String, Object>> service : whole.services().entrySet()) {
      assertThat(service.getValue()).containsKeys("mem_limit", "logging");
      if (!Set.of("topics", "tools").contains(service.getKey())) {
        assertThat(whole.healthCheck(service.getKey())).isNotEmpty();
      }
    }
  }

  @Test
  void thePageSaysHowMuchMemoryTheyMayTake() throws Exception {
    String page = Files.readString(HOME.resolve("docs/deployment.md"));
    int sum = 0;
    for (String service : compose.services().keySet()) {
      int limit = compose.memoryLimit(service);
      assertThat(page).containsPattern("\\| `%s` \\|.*\\| %d \\|".formatted(service, limit));
      boolean always =
          !compose.services().get(service).containsKey("profiles")
              && !Integer.valueOf(0).equals(compose.services().get(service).get("scale"));
      sum += always ? limit : 0;
    }

    assertThat(page).contains("together %,d MiB".formatted(sum));
  }

  @Test
  void theExampleOfEnvListsEveryVariableWithItsDefault() throws Exception {
    Map<String, String> used = new TreeMap<>();
    for (String file : List.of(MAIN, GPU, SECRETS)) {
      matches("(?<!\\$)\\$\\{(\\w+):-([^}]*)}", Files.readString(HOME.resolve(file)))
          .forEach(variable -> used.put(variable.group(1), variable.group(2)));
    }
    Map<String, String> listed = new TreeMap<>();
    matches("(?m)^(\\w+)=(.*)$", Files.readString(HOME.resolve(".env.example")))
        .filter(line -> line.group(1).startsWith("MILLRACE_"))
        .forEach(line -> listed.put(line.group(1), line.group(2)));

    assertThat(listed).isEqualTo(used).isNotEmpty();
  }

  @Test
  void theLaunchersMainClassesExist() throws Exception {
    String launcher = Files.readString(HOME.resolve("bin/millrace"));
    List<MatchResult> classes =
        matches("(?m)^ *main=(io\\.millrace\\.(\\w+)\\.[\\w.]+)$", launcher).toList();

    assertThat(classes).hasSizeGreaterThanOrEqualTo(4);
    assertThat(classes)
        .map(main -> HOME.resolve(main.group(2) + "/src/main/java/" + file(main.group(1))))
        .allMatch(Files::exists);
    assertThat(dockerfile).contains("ENTRYPOINT [\"sh\", \"/opt/millrace/bin/millrace\"]");
  }

  /** Maven reads those of all modules, and the layer with what it has fetched depends on them. */
  @Test
  void theBuildBeginsWithThePomsOfAllModules() throws Exception {
    List<String> modules =
        matches("<module>(.*)</module>", Files.readString(HOME.resolve("pom.xml")))
            .map(module -> module.group(1))
            .toList();

    assertThat(modules)
        .isNotEmpty()
        .allMatch(module -> dockerfile.contains("COPY %1$s/pom.xml %1$s/\n".formatted(module)));
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

  /** What a service's command is told; of tools, that of a command that has most settings. */
  private static Settings settings(String service) {
    List<String> command = new ArrayList<>(whole.<String>list(service, "command"));
    if (command.isEmpty()) {
      command.add("submit");
    }
    CommandLine parsed =
        new CommandLine(new MillraceCommand())
            .parseArgs(command.toArray(String[]::new))
            .subcommand()
            .commandSpec()
            .commandLine();
    SettingsOptions options = (SettingsOptions) parsed.getMixins().get("options");
    return options.load(whole.environment(service));
  }

  /** The variables of the settings that a page lists. */
  static Set<String> variables(String page) throws IOException {
    Set<String> variables = new TreeSet<>();
    matches("(?m)^\\| `([\\w.-]+)` \\|", Files.readString(HOME.resolve(page)))
        .map(row -> row.group(1))
        .map(key -> key.replaceAll("([a-z0-9])([A-Z])", "$1_$2").replaceAll("[.-]", "_"))
        .forEach(key -> variables.add("MILLRACE_" + key.toUpperCase(Locale.ROOT)));
    return variables;
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
