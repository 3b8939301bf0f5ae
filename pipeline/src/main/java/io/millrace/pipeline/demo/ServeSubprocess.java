package io.millrace.pipeline.demo;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.PrivateDirectories;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Runs {@code millrace serve} as a child process, on a free port; the child ends with this process.
 */
final class ServeSubprocess implements AutoCloseable {
  private static final Duration START_TIMEOUT = Duration.ofSeconds(120);
  private static final ObjectMapper JSON = new ObjectMapper();

  private static final int TOKEN_BYTES = 9;

  private final Process process;
  private final URI address;
  private final String rolloutToken;
  private final HttpClient http = HttpClient.newHttpClient();

  private ServeSubprocess(Process process, URI address, String rolloutToken) {
    this.process = process;
    this.address = address;
    this.rolloutToken = rolloutToken;
  }

  /**
   * Starts it and waits until it listens.
   *
   * @param command what starts {@code millrace serve}, without options
   * @param data for its store and logs
   * @throws IllegalStateException where it does not start
   */
  static ServeSubprocess start(
      List<String> command, Path data, String modelStore, Connection connection) {
    Path portFile = data.resolve("port");
    Path output = data.resolve("output.log");
    try {
      PrivateDirectories.create(data);
      List<String> line = new ArrayList<>(command);
      line.addAll(
          List.of(
              "--data",
              data.toString(),
              "--port",
              "0",
              "--port-file",
              portFile.toString(),
              "--set",
              "model.store=" + modelStore,
              "--set",
              Connection.BOOTSTRAP_SERVERS.key() + "=" + connection.bootstrapServers(),
              "--set",
              Connection.REGISTRY_URL.key() + "=" + connection.registryUrl()));
      ProcessBuilder builder =
          new ProcessBuilder(line).redirectErrorStream(true).redirectOutput(output.toFile());
      // What is meant for a serving process of the user's would keep the demo's from answering.
      builder
          .environment()
          .keySet()
          .removeIf(
              name -> name.startsWith("MILLRACE_SERVING_") || name.equals("MILLRACE_LOG_CONSOLE"));
      builder.environment().put("MILLRACE_END_WITH_PARENT", "1");
      // Not on the command line, where every user of the machine could read it.
      String token = token();
      builder.environment().put("MILLRACE_SERVING_ROLLOUT_TOKEN", token);
      Process process = builder.start();
      return new ServeSubprocess(process, URI.create(address(process, portFile, output)), token);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot start the serving process", e);
    }
  }

  /** For this process alone: nothing that is trained depends on it. */
  private static String token() {
    byte[] bytes = new byte[TOKEN_BYTES];
    new SecureRandom().nextBytes(bytes);
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }

  private static String address(Process process, Path portFile, Path output) throws IOException {
    long deadline = System.nanoTime() + START_TIMEOUT.toNanos();
    try {
      while (!Files.exists(portFile)) {
        if (process.waitFor(100, TimeUnit.MILLISECONDS) || System.nanoTime() > deadline) {
          process.destroyForcibly();
          throw new IllegalStateException(
              "the serving process does not start: "
                  + Files.readString(output).lines().reduce((a, b) -> b).orElse("no output"));
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      process.destroyForcibly();
      throw new IllegalStateException("interrupted while the serving process started", e);
    }
    return "http://127.0.0.1:" + Files.readString(portFile).trim();
  }

  /** Where it answers. */
  URI address() {
    return address;
  }

  /** What lets its clients decide about rollouts. */
  String rolloutToken() {
    return rolloutToken;
  }

  /** The number of versions of a domain that it has made live since its start. */
  long versionsLive(String domain) throws IOException, InterruptedException {
    HttpResponse<String> response =
        http.send(
            HttpRequest.newBuilder(
                    address.resolve(
                        "/v1/adapters?versions=1000&domain=" + URLEncoder.encode(domain, UTF_8)))
                .timeout(Duration.ofSeconds(10))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    long live = 0;
    for (JsonNode version :
        JSON.readTree(response.body()).path("domains").path(0).path("versions")) {
      live += version.path("liveAt").isTextual() ? 1 : 0;
    }
    return live;
  }

  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(15, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
