package io.millrace.benchmarks.process;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.embedded.EmbeddedStack;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;

/**
 * {@code bin/millrace up} in a process of its own, on free ports, of the lowest priority: in
 * production Kafka has machines of its own and takes no processor time from those that serve.
 */
public final class StackProcess implements AutoCloseable {
  private static final Duration START_TIMEOUT = Duration.ofMinutes(2);
  private static final String KAFKA = "Kafka ";
  private static final String REGISTRY = "Schema registry ";

  /** Start of the last line that the process prints, once all parts run. */
  private static final String RUNS = "Stop: ";

  private final MillraceProcess process;
  private final Connection connection;

  private StackProcess(MillraceProcess process, Connection connection) {
    this.process = process;
    this.connection = connection;
  }

  /**
   * Whether a stack can begin in a directory: it does not exist, or holds nothing but what a
   * process leaves there before its stack starts, such as a log.
   */
  public static boolean canKeepDataIn(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return true;
    }
    if (!Files.isDirectory(directory)) {
      return false;
    }
    try (Stream<Path> children = Files.list(directory)) {
      return children.allMatch(each -> EmbeddedStack.isKept(each.getFileName().toString()));
    }
  }

  /**
   * Starts the stack and waits until all parts run.
   *
   * @param home the directory with {@code bin/millrace}
   * @param data for its logs
   * @throws IllegalStateException where it does not start
   */
  public static StackProcess start(Path home, Path data) throws InterruptedException {
    MillraceProcess process =
        MillraceProcess.startNicest(
            home,
            List.of(
                "up", "--kafka-port=0", "--registry-port=0", "--flink-port=0", "--data=" + data));
    CompletableFuture<Map<String, String>> addresses = new CompletableFuture<>();
    Thread output = new Thread(() -> follow(process, addresses), "stack-output");
    output.setDaemon(true);
    output.start();
    boolean started = false;
    try {
      Map<String, String> found = addresses.get(START_TIMEOUT.toSeconds(), TimeUnit.SECONDS);
      Settings settings =
          Settings.of(
              Connection.SETTINGS,
              null,
              List.of(
                  Connection.BOOTSTRAP_SERVERS.key() + "=" + found.get(KAFKA),
                  Connection.REGISTRY_URL.key() + "=" + found.get(REGISTRY)));
      StackProcess stack = new StackProcess(process, new Connection(settings));
      started = true;
      return stack;
    } catch (ExecutionException | TimeoutException e) {
      throw new IllegalStateException("bin/millrace up does not start: " + process.failure(), e);
    } finally {
      if (!started) {
        process.close();
      }
    }
  }

  private static void follow(
      MillraceProcess process, CompletableFuture<Map<String, String>> addresses) {
    Map<String, String> found = new HashMap<>();
    try {
      process.await(
          line -> {
            for (String name : List.of(KAFKA, REGISTRY)) {
              if (line.startsWith(name)) {
                found.put(name, line.substring(name.length()).strip());
              }
            }
            if (line.startsWith(RUNS)) {
              addresses.complete(found);
            }
          });
      addresses.completeExceptionally(new IllegalStateException("it has ended"));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The connection to its Kafka and registry. */
  public Connection connection() {
    return connection;
  }

  @Override
  public void close() {
    process.close();
  }
}
