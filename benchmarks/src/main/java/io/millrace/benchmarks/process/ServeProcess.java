package io.millrace.benchmarks.process;

import io.millrace.client.kafka.Connection;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** {@code bin/millrace serve} in a process of its own, on a free port. */
public final class ServeProcess implements AutoCloseable {
  /**
   * Start of the line that the process prints once it listens; the address follows, up to a
   * semicolon.
   */
  private static final String LISTENS = "listening on ";

  private static final Duration START_TIMEOUT = Duration.ofMinutes(2);

  private final MillraceProcess process;
  private final URI address;
  private final HttpClient http = HttpClient.newHttpClient();

  private ServeProcess(MillraceProcess process, URI address) {
    this.process = process;
    this.address = address;
  }

  /**
   * Starts the process and waits until it listens.
   *
   * @param home the directory with {@code bin/millrace}
   * @param data for its store and logs
   * @param settings {@code key=value}, beside those of the connection
   * @throws IllegalStateException where it does not start
   */
  public static ServeProcess start(
      Path home, Path data, Connection connection, List<String> settings)
      throws InterruptedException {
    return start(home, data, connection, settings, Map.of());
  }

  /** As the other {@code start}, with environment variables of its own. */
  public static ServeProcess start(
      Path home,
      Path data,
      Connection connection,
      List<String> settings,
      Map<String, String> environment)
      throws InterruptedException {
    List<String> arguments = new ArrayList<>(List.of("serve", "--port", "0"));
    arguments.addAll(List.of("--data", data.toString()));
    List<String> all = new ArrayList<>(settings);
    all.add(Connection.BOOTSTRAP_SERVERS.key() + "=" + connection.bootstrapServers());
    all.add(Connection.REGISTRY_URL.key() + "=" + connection.registryUrl());
    all.forEach(setting -> arguments.addAll(List.of("--set", setting)));
    MillraceProcess process = MillraceProcess.start(home, environment, arguments);
    CompletableFuture<URI> address = new CompletableFuture<>();
    Thread output = new Thread(() -> follow(process, address), "serve-output");
    output.setDaemon(true);
    output.start();
    boolean started = false;
    try {
      ServeProcess serve =
          new ServeProcess(process, address.get(START_TIMEOUT.toSeconds(), TimeUnit.SECONDS));
      started = true;
      return serve;
    } catch (ExecutionException | TimeoutException e) {
      throw new IllegalStateException("bin/millrace serve does not start: " + process.failure(), e);
    } finally {
      if (!started) {
        process.close();
      }
    }
  }

  private static void follow(MillraceProcess process, CompletableFuture<URI> address) {
    try {
      process.await(
          line -> {
            if (line.startsWith(LISTENS)) {
              address.complete(URI.create(line.substring(LISTENS.length()).split(";")[0]));
            }
          });
      address.completeExceptionally(new IllegalStateException("it has ended"));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Address of its HTTP service. */
  public URI address() {
    return address;
  }

  /**
   * Waits until it has read the topics up to their end.
   *
   * @throws IllegalStateException where that takes too long
   */
  public void awaitReady() throws IOException, InterruptedException {
    awaitReady(START_TIMEOUT);
  }

  /** As the other {@code awaitReady}, within a time. */
  public void awaitReady(Duration timeout) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + timeout.toNanos();
    while (get("/health/ready").statusCode() != 200) {
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException("the serving process is not ready in " + timeout);
      }
      Thread.sleep(100);
    }
  }

  /**
   * Its answer to a GET request of a path.
   *
   * @throws IOException where it does not answer
   */
  public HttpResponse<String> get(String path) throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(address.resolve(path)).timeout(Duration.ofSeconds(10)).build();
    return http.send(request, HttpResponse.BodyHandlers.ofString());
  }

  /** The operating system's view of it. */
  public ProcessHandle handle() {
    return process.handle();
  }

  @Override
  public void close() {
    process.close();
  }
}
