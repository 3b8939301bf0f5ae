package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.millrace.client.settings.Settings;
import io.millrace.inference.ServingProcess;
import io.millrace.inference.ServingSettings;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import io.millrace.testing.StubRegistry;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Runs the programs of the page about clients. */
@Tag("integration")
@ExtendWith(Services.class)
class ClientsPageTest {
  private static final Path PAGE = Path.of("../docs/clients.md");
  private static final AdapterVersion VERSION = TestAdapters.version("films", 3, null);
  private static final long MOST_SECONDS = 60;

  @TempDir static Path directory;
  private static ServingProcess process;

  @BeforeAll
  static void start(KafkaBroker broker, StubRegistry registry) throws Exception {
    broker.create(Topics.LABELED_EXAMPLES, 1, Map.of());
    try (AdapterStore store = AdapterStore.open(directory.resolve("adapters"))) {
      store.put(VERSION, new StreamOffset(0, 1));
    }
    Settings settings =
        Settings.of(
            ServingSettings.ALL,
            null,
            List.of(
                "model.store=" + TestAdapters.models(),
                "kafka.bootstrap.servers=" + broker.bootstrapServers(),
                "schema.registry.url=" + registry.url()));
    process = ServingProcess.listen(settings, directory, 0, notice -> {});
    process.load((model, done, total) -> {});
  }

  @AfterAll
  static void stop() {
    process.close();
  }

  @Test
  void curl() throws Exception {
    assumeTrue(isThere("curl"), "curl is not installed");
    assertAnswered(run("sh", "sh", "client.sh"));
  }

  @Test
  void python() throws Exception {
    assumeTrue(isThere("python3"), "Python is not installed");
    String output = run("python", "python3", "client.py");
    assertThat(output)
        .containsPattern("(bad|good|so-so) by version 3 " + VERSION.getSha256())
        .contains("'label': 'good'")
        .containsPattern("\\{'A fine film\\.': '[a-z-]+', 'Too long\\.': '[a-z-]+'\\}");
  }

  @Test
  void java() throws Exception {
    Path java = Path.of(System.getProperty("java.home"), "bin", "java");
    assertAnswered(run("java", java.toString(), "Client.java"));
  }

  /** A prediction, a label that Kafka has, and tensors. */
  private static void assertAnswered(String output) {
    assertThat(output)
        .contains("\"servedBy\":\"domain\"", "\"sha256\":\"" + VERSION.getSha256())
        .contains("\"label\":\"good\",\"partition\":0,\"offset\":")
        .contains("\"model_name\":\"films\",\"model_version\":\"3\"");
  }

  private static boolean isThere(String program) {
    return Stream.of(System.getenv("PATH").split(File.pathSeparator))
        .anyMatch(each -> Files.isExecutable(Path.of(each, program)));
  }

  /** Runs the page's program in a language, and returns what it says. */
  private static String run(String language, String program, String file) throws Exception {
    Matcher code =
        Pattern.compile("```" + language + "\n(.*?)```", Pattern.DOTALL)
            .matcher(Files.readString(PAGE));
    assertThat(code.find()).isTrue();
    String source = code.group(1);
    assertThat(source).contains("127.0.0.1:8080");
    Path own = Files.createDirectory(directory.resolve(language));
    Files.writeString(
        own.resolve(file), source.replace("127.0.0.1:8080", "127.0.0.1:" + process.port()));
    Path output = own.resolve("output");
    Process running =
        new ProcessBuilder(program, file)
            .directory(own.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    try {
      assertThat(running.waitFor(MOST_SECONDS, TimeUnit.SECONDS)).isTrue();
    } finally {
      running.destroyForcibly();
    }
    String said = Files.readString(output, UTF_8);
    assertThat(running.exitValue()).as(said).isZero();
    return said;
  }
}
