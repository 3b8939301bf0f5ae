package io.millrace.inference;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.inference.http.Api;
import io.millrace.testing.Await;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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
    Await.until("the model is loaded", () -> api.predict("films", "x").status() == 404);

    serve.destroy();

    assertThat(serve.waitFor(20, TimeUnit.SECONDS)).isTrue();
    assertThat(serve.exitValue()).isEqualTo(TERMINATED);
    assertThat(text(serve, "out")).startsWith("listening on http://127.0.0.1:" + port);
    assertThat(Files.readString(directory.resolve("data/logs/serve.log")))
        .contains("0 domains loaded")
        .doesNotContain("not everything ended");
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
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(directory.resolve(number + ".out").toFile())
            .redirectError(directory.resolve(number + ".err").toFile())
            .start();
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
