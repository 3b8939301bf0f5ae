package io.millrace.client.kafka;

import io.millrace.client.process.LoopbackPort;
import io.millrace.client.process.ParentWatch;
import io.millrace.client.settings.Settings;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * A real schema registry for the tests, in memory, started once for all of them as a child process.
 */
final class RegistryProcess implements AutoCloseable {
  private static final Duration START_TIMEOUT = Duration.ofSeconds(90);
  private static final Path LOG = Path.of("target/registry.log");

  private final HttpClient http = HttpClient.newHttpClient();
  private final Process process;
  private final String url;

  /** Gives the process to every test that has a parameter for it. */
  static final class Extension implements ParameterResolver {
    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
      return parameter.getParameter().getType() == RegistryProcess.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
      return context
          .getRoot()
          .getStore(ExtensionContext.Namespace.GLOBAL)
          .getOrComputeIfAbsent(RegistryProcess.class);
    }
  }

  RegistryProcess() throws IOException, InterruptedException {
    int port = LoopbackPort.free();
    url = "http://127.0.0.1:" + port + "/apis/ccompat/v7";
    process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "-XX:+UseSerialGC",
                "-Dquarkus.http.host=127.0.0.1",
                "-Dquarkus.http.port=" + port,
                "-cp",
                "target/registry/*:target/classes",
                ParentWatch.class.getName(),
                "io.quarkus.runner.GeneratedMain")
            .redirectErrorStream(true)
            .redirectOutput(LOG.toFile())
            .start();
    awaitStart();
  }

  String url() {
    return url;
  }

  /** Settings of a process that uses this registry. */
  Connection connection(String... sets) {
    List<String> all = new ArrayList<>(List.of(sets));
    all.add("schema.registry.url=" + url);
    return new Connection(Settings.of(Connection.SETTINGS, null, all));
  }

  /** Sends a JSON body to {@code path} of the registry; the answer must be 200. */
  void send(String method, String path, String json) throws IOException, InterruptedException {
    HttpResponse<String> response =
        http.send(
            HttpRequest.newBuilder(URI.create(url + path))
                .header("Content-Type", "application/vnd.schemaregistry.v1+json")
                .method(method, BodyPublishers.ofString(json))
                .build(),
            BodyHandlers.ofString());
    if (response.statusCode() != 200) {
      throw new IOException(response.statusCode() + ": " + response.body());
    }
  }

  @Override
  public void close() throws InterruptedException {
    process.destroy();
    if (!process.waitFor(10, TimeUnit.SECONDS)) {
      process.destroyForcibly().waitFor();
    }
  }

  private void awaitStart() throws IOException, InterruptedException {
    HttpRequest subjects = HttpRequest.newBuilder(URI.create(url + "/subjects")).build();
    long deadline = System.nanoTime() + START_TIMEOUT.toNanos();
    while (System.nanoTime() < deadline) {
      try {
        if (http.send(subjects, BodyHandlers.discarding()).statusCode() == 200) {
          return;
        }
      } catch (IOException e) {
        // Not listening yet.
      }
      if (process.waitFor(100, TimeUnit.MILLISECONDS)) {
        throw new IOException("the registry ended with " + process.exitValue() + ": see " + LOG);
      }
    }
    close();
    throw new IOException("the registry did not start within " + START_TIMEOUT + ": see " + LOG);
  }
}
