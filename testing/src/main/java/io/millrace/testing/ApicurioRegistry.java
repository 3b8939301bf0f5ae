package io.millrace.testing;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** A real schema registry as a child process, with its schemas in memory. */
public final class ApicurioRegistry implements AutoCloseable {
  private static final Duration START_TIMEOUT = Duration.ofSeconds(90);
  private static final Path LOG = Path.of("target/registry.log");

  /** The pipe to its standard input closes however this JVM ends; the registry then ends, too. */
  private static final String END_WITH_PARENT =
      "exec 3<&0; \"$@\" & child=$!; (cat <&3 >/dev/null; kill -9 $child) & wait $child";

  private final HttpClient http = HttpClient.newHttpClient();
  private final Process process;
  private final String url;

  /** Starts it; returns when it answers. */
  ApicurioRegistry() throws Exception {
    int port = FreePort.find();
    url = "http://127.0.0.1:" + port + "/apis/ccompat/v7";
    process =
        new ProcessBuilder(
                "/bin/sh",
                "-c",
                END_WITH_PARENT,
                "sh",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Dquarkus.http.host=127.0.0.1",
                "-Dquarkus.http.port=" + port,
                "-Dquarkus.http.access-log.enabled=false",
                "-cp",
                System.getProperty("millrace.test.registry") + "/*",
                "io.quarkus.runner.GeneratedMain")
            .redirectErrorStream(true)
            .redirectOutput(LOG.toFile())
            .start();
    Await.until("the schema registry answers; see " + LOG, START_TIMEOUT, this::answers);
  }

  private boolean answers() throws InterruptedException {
    if (!process.isAlive()) {
      throw new IllegalStateException(
          "the schema registry ended with exit code %d as it started; see %s"
              .formatted(process.exitValue(), LOG.toAbsolutePath()));
    }
    try {
      return http.send(request("/subjects").build(), BodyHandlers.discarding()).statusCode() == 200;
    } catch (IOException e) {
      // It does not listen yet.
      return false;
    }
  }

  /** Where its REST interface is, in Confluent's dialect. */
  public String url() {
    return url;
  }

  /**
   * Sends a JSON body to {@code path} of the registry; the answer must be 200. Returns its body.
   */
  public String send(String method, String path, String json)
      throws IOException, InterruptedException {
    HttpResponse<String> response =
        http.send(
            request(path)
                .header("Content-Type", "application/vnd.schemaregistry.v1+json")
                .method(method, BodyPublishers.ofString(json))
                .build(),
            BodyHandlers.ofString());
    if (response.statusCode() != 200) {
      throw new IOException(path + ": " + response.statusCode() + " " + response.body());
    }
    return response.body();
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(url + path)).timeout(Duration.ofSeconds(10));
  }

  @Override
  public void close() throws IOException, InterruptedException {
    process.getOutputStream().close();
    if (!process.waitFor(10, TimeUnit.SECONDS)) {
      throw new IllegalStateException("the schema registry does not end");
    }
  }
}
