package io.millrace.inference;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.inference.http.Api;
import io.millrace.testing.Await;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The command as a process of its own, as a person or a parent process starts it. */
@Tag("integration")
class ServeCommandTest {
  private static final int TERMINATED = 143;

  @TempDir Path directory;
  private final List<Process> started = new ArrayList<>();

  @AfterEach
  void killWhatIsLeft() {
    started.forEach(Process::destroyForcibly);
  }

  @Test
  void servesUntilItIsToldToEnd() throws Exception {
    Process serve = serve("data", "--port", "0", "--port-file", portFile().toString());
    Await.until("the port file is there", () -> Files.exists(portFile()));
    int port = Integer.parseInt(Files.readString(portFile()).strip());
    Api api = new Api(port);
    assertThat(api.get("/health/live").status()).isEqualTo(200);
    Await.until("the model is loaded", () -> api.predict("films", "x").status() == 200);

    serve.destroy();

    assertThat(serve.waitFor(20, TimeUnit.SECONDS)).isTrue();
    assertThat(serve.exitValue()).isEqualTo(TERMINATED);
    assertThat(text(serve, "out")).startsWith("listening on http://127.0.0.1:" + port);
    assertThat(Files.readString(directory.resolve("data/logs/serve.log")))
        .contains("0 domains are in the local store")
        .doesNotContain("not everything ended");
  }

  @Test
  void whoWantsNoProgressSeesNone() throws Exception {
    Process serve = serve("data", "--port", "0", "--port-file", portFile().toString(), "--quiet");
    Await.until("the port file is there", () -> Files.exists(portFile()));
    Api api = new Api(Integer.parseInt(Files.readString(portFile()).strip()));
    Await.until("the model is loaded", () -> api.predict("films", "x").status() == 200);

    serve.destroy();

    assertThat(serve.waitFor(20, TimeUnit.SECONDS)).isTrue();
    assertThat(text(serve, "out")).isEmpty();
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void mergingAndTheOptimizingCompilerLetRequestsGoFirst() throws Exception {
    Process serve = serve("data", "--port", "0", "--port-file", portFile().toString());

    Await.until("merging has the lowest priority", () -> niceValues(serve, "merge").equals("[19]"));
    Await.until(
        "the compiler has a low one", () -> niceValues(serve, "C2 CompilerThre").contains("10"));
  }

  /** Of the threads of that name. */
  private static String niceValues(Process process, String name) throws IOException {
    Path threads = Path.of("/proc", String.valueOf(process.pid()), "task");
    List<String> values = new ArrayList<>();
    try (DirectoryStream<Path> all = Files.newDirectoryStream(threads)) {
      for (Path thread : all) {
        String stat = Files.readString(thread.resolve("stat"));
        if (stat.contains("(" + name + ")")) {
          // The fields after the name begin with the third; the nice value is the nineteenth.
          values.add(stat.substring(stat.lastIndexOf(')') + 2).split(" ")[16]);
        }
      }
    } catch (IOException | DirectoryIteratorException e) {
      return "a thread has just ended";
    }
    return values.toString();
  }

  @Test
  void nobodyElseMayReadWhatItKeeps() throws Exception {
    Files.createDirectories(directory.resolve("data"));
    Files.setPosixFilePermissions(
        directory.resolve("data"), PosixFilePermissions.fromString("rwxr-xr-x"));
    serve("data", "--port", "0", "--port-file", portFile().toString());
    Await.until("it listens", () -> Files.exists(portFile()));

    for (String each : List.of("data", "data/adapters", "data/requests", "data/logs")) {
      assertThat(Files.getPosixFilePermissions(directory.resolve(each)))
          .as(each)
          .isEqualTo(PosixFilePermissions.fromString("rwx------"));
    }
    Path log = directory.resolve("data/logs/serve.log");
    Await.until("it logs", () -> Files.exists(log));
    assertThat(Files.getPosixFilePermissions(log))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));
  }

  @Test
  void inAContainerItsLogGoesToTheConsoleOneLineAnEvent() throws Exception {
    Process json = serve("json", "--port", "0", "--set", "log.console=json");
    Process text = serve("text", "--port", "0", "--set", "log.console=text");
    Process quiet = serve("quiet", "--port", "0");
    for (Process each : List.of(json, text)) {
      Await.until(
          "it has loaded", () -> text(each, "err").contains("0 domains are in the local store"));
    }
    Await.until("it has loaded", () -> text(quiet, "out").contains("listening"));

    for (String line :
        text(json, "err").lines().filter(l -> !l.startsWith("millrace: ")).toList()) {
      JsonNode event = new ObjectMapper().readTree(line);
      assertThat(event.get("level").asText()).isIn("INFO", "WARN", "ERROR");
      assertThat(event.get("message").asText()).isNotBlank();
      assertThat(event.has("exception")).isTrue();
    }
    assertThat(text(text, "err").lines().filter(l -> !l.startsWith("millrace: ")))
        .allMatch(line -> line.matches("\\d{4}-\\d\\d-\\d\\dT.* (INFO|WARN|ERROR) .*"));
    assertThat(text(quiet, "err").lines()).allMatch(line -> line.startsWith("millrace: "));
  }

  /** As the launcher starts it where {@code MILLRACE_LOGS} is none. */
  @Test
  void withoutALogFileTheConsoleHasItAll() throws Exception {
    Process serve =
        serve(
            Map.of("JAVA_TOOL_OPTIONS", "-Dmillrace.logs=none"),
            "data",
            "--port=0",
            "--set=log.console=text");

    Await.until(
        "it has loaded", () -> text(serve, "err").contains("0 domains are in the local store"));
    assertThat(directory.resolve("data")).exists();
    assertThat(directory.resolve("data/logs")).doesNotExist();
  }

  @Test
  void aSecretOfTheEnvironmentIsTakenAndShownNowhere() throws Exception {
    Process serve =
        serve(
            Map.of("MILLRACE_SERVING_TOKENS_PREDICT", "s3cret-t0ken"),
            "data",
            "--port",
            "0",
            "--port-file",
            portFile().toString(),
            "--set",
            "log.console=text");
    Await.until("it listens", () -> Files.exists(portFile()));
    int port = Integer.parseInt(Files.readString(portFile()).strip());

    assertThat(new Api(port).predict("films", "x").status()).isEqualTo(401);
    assertThat(serve.info().commandLine().orElse("")).doesNotContain("s3cret");
    Await.until(
        "it has loaded", () -> text(serve, "err").contains("0 domains are in the local store"));
    assertThat(text(serve, "err") + text(serve, "out")).doesNotContain("s3cret");
    assertThat(Files.readString(directory.resolve("data/logs/serve.log"))).doesNotContain("s3cret");
  }

  @Test
  void aSecondProcessOnTheSameDirectoryEndsWithOneLine() throws Exception {
    serve("data", "--port", "0", "--port-file", portFile().toString());
    Await.until("the first listens", () -> Files.exists(portFile()));

    assertRefused("in use by another process", serve("data", "--port", "0"));
  }

  @Test
  void aTakenPortEndsWithOneLine() throws Exception {
    serve("data", "--port", "0", "--port-file", portFile().toString());
    Await.until("the first listens", () -> Files.exists(portFile()));
    String port = Files.readString(portFile()).strip();

    assertRefused("cannot listen on 127.0.0.1:" + port, serve("other", "--port", port));
  }

  @Test
  void anUnknownOptionASettingOutOfRangeAndAnUnknownModelEndWithOneLine() throws Exception {
    Process option = serve("a", "--prot", "1");
    Process setting = serve("b", "--set", "serving.concurrency=0");
    Process model = serve("c", "--port", "0", "--set", "model.name=gpt");

    assertRefused("--prot", option);
    assertRefused("serving.concurrency: '0' is not a whole number from 1 to 1024", setting);
    assertRefused("unknown base model \"gpt\"", model);
  }

  @Test
  void helpNamesTheCommandItsOptionsAndItsSettings() throws Exception {
    Process help = serve("data", "--help");

    assertThat(help.waitFor(20, TimeUnit.SECONDS)).isTrue();
    assertThat(help.exitValue()).isZero();
    assertThat(text(help, "out"))
        .contains("Usage: millrace serve", "--data", "--port", "--port-file", "--config", "--set")
        .contains("serving.maxRequestBytes", "1MiB", "kafka.bootstrap.servers", "model.store");
  }

  private void assertRefused(String reason, Process process) throws Exception {
    assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isEqualTo(2);
    assertThat(text(process, "err").lines())
        .singleElement()
        .asString()
        .startsWith("millrace: ")
        .contains(reason);
  }

  private Process serve(String data, String... arguments) throws IOException {
    return serve(Map.of(), data, arguments);
  }

  private Process serve(Map<String, String> environment, String data, String... arguments)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx400m", "-XX:+UseSerialGC", "-Dai.djl.offline=true"));
    command.add("-Dmillrace.home=" + directory);
    command.addAll(List.of("-Dlog4j2.configurationFile=log4j2.xml"));
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), ServeCommand.class.getName()));
    command.addAll(List.of("--data", directory.resolve(data).toString()));
    command.addAll(List.of("--set", "model.store=" + TestAdapters.models()));
    command.addAll(List.of("--set", "kafka.bootstrap.servers=127.0.0.1:1"));
    command.addAll(List.of(arguments));
    int number = started.size();
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .redirectOutput(directory.resolve(number + ".out").toFile())
            .redirectError(directory.resolve(number + ".err").toFile());
    builder.environment().putAll(environment);
    Process process = builder.start();
    started.add(process);
    return process;
  }

  private String text(Process process, String stream) throws IOException {
    Path file = directory.resolve(started.indexOf(process) + "." + stream);
    return Files.readString(file, UTF_8);
  }

  private Path portFile() {
    return directory.resolve("port");
  }
}
