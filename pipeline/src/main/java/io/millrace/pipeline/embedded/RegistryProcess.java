package io.millrace.pipeline.embedded;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.millrace.client.process.LoopbackPort;
import io.millrace.client.process.ParentWatch;
import io.millrace.client.process.UsageException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Apicurio Registry as a child process, on loopback only. Its schemas are in a database file that
 * survives any end of the process; the process ends with this one. One-shot: started once, closed
 * once.
 */
public final class RegistryProcess implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RegistryProcess.class);
  private static final Duration START_TIMEOUT = Duration.ofSeconds(90);
  private static final Duration PREDECESSOR_TIMEOUT = Duration.ofSeconds(15);
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration POLL = Duration.ofMillis(50);
  private static final String DATABASE = "registry";
  private static final int STARTS = 3;
  private static final long LARGEST_LOG = 10 * 1024 * 1024;
  private static final int LOG_TAIL = 64 * 1024;
  private static final String CAUSE = "Caused by: ";

  /** A line of the log about an error: time, level, logger, thread, message. */
  private static final Pattern ERROR = Pattern.compile("\\S+ \\S+ ERROR \\[.*?] \\(.*?\\) (.*)");

  private final HttpClient http = HttpClient.newHttpClient();
  private final Path distribution;
  private final Path directory;
  private final Path log;
  private final int requestedPort;
  private Process process;
  private int port;
  private long logStart;

  private RegistryProcess(Path distribution, Path directory, Path log, int requestedPort) {
    this.distribution = distribution;
    this.directory = directory;
    this.log = log;
    this.requestedPort = requestedPort;
  }

  /**
   * Launches a registry on {@code directory} and does not wait for it: {@link #awaitReady} does.
   *
   * @param distribution Apicurio's unpacked distribution
   * @param directory holds its data; made where it is missing
   * @param log takes what it prints
   * @param port to listen on, or 0 for a free one
   * @throws UsageException where the port is taken
   */
  public static RegistryProcess launch(Path distribution, Path directory, Path log, int port) {
    RegistryProcess registry = new RegistryProcess(distribution, directory, log, port);
    registry.start();
    return registry;
  }

  /**
   * Waits until the registry answers, and sets its compatibility to BACKWARD. A registry that ends
   * instead is started again, on another port if it was to have a free one: another process may
   * have taken the port, or have read the database, for a moment. It is not started again after the
   * same failure twice.
   *
   * @throws IllegalStateException where it does not answer in time, or ends again; says why
   */
  public void awaitReady() {
    try {
      String failure = "";
      for (int starts = 1; !isAnswering(); starts++) {
        String last = failure;
        failure = lastError();
        if (starts == STARTS || failure.equals(last)) {
          throw new IllegalStateException(
              "the schema registry ended with exit code %d as it started%s; see %s"
                  .formatted(
                      process.exitValue(), failure.isEmpty() ? "" : " (" + failure + ")", log));
        }
        LOG.warn("The schema registry ended as it started, and is started again: {}", failure);
        start();
      }
      requireBackwardCompatibility();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the schema registry started", e);
    }
  }

  /** Where Confluent's REST interface is, once it is ready. */
  public String url() {
    return "http://" + LoopbackPort.HOST + ":" + port + "/apis/ccompat/v7";
  }

  /** Completes when the process has ended, for whatever reason. */
  public CompletableFuture<Void> ended() {
    return process.onExit().thenApply(ended -> null);
  }

  /** Asks the process to end, and ends it after ten seconds. The schemas are safe either way. */
  @Override
  public void close() {
    // Process.destroy() would close its standard input as well, and that ends it at once.
    process.toHandle().destroy();
    try {
      if (!process.waitFor(CLOSE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)) {
        LOG.warn("The schema registry did not stop within {}; it is killed", CLOSE_TIMEOUT);
        process.destroyForcibly().waitFor(CLOSE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }

  private void start() {
    awaitPredecessor(directory.resolve(DATABASE + ".mv.db"));
    port = LoopbackPort.claim(requestedPort, "the schema registry", "--registry-port");
    try {
      Files.createDirectories(log.toAbsolutePath().getParent());
      if (Files.exists(log) && Files.size(log) > LARGEST_LOG) {
        Files.delete(log);
      }
      logStart = Files.exists(log) ? Files.size(log) : 0;
      // Vert.x unpacks files here, and a killed process leaves them behind.
      Path temporary = directory.resolve("tmp");
      deleteRecursively(temporary);
      Files.createDirectories(temporary);
      process =
          new ProcessBuilder(command(distribution, port))
              .directory(directory.toFile())
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
              .start();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot launch the schema registry in " + directory, e);
    }
  }

  /**
   * The registry of a process that was killed ends some hundred milliseconds after it. Until then
   * it holds the database, and its port.
   */
  private static void awaitPredecessor(Path database) {
    if (!Files.exists(database)) {
      return;
    }
    long deadline = System.nanoTime() + PREDECESSOR_TIMEOUT.toNanos();
    try (FileChannel channel = FileChannel.open(database, StandardOpenOption.WRITE)) {
      while (channel.tryLock() == null) {
        if (System.nanoTime() > deadline) {
          throw new IllegalStateException(
              "another process holds the schema registry's " + database);
        }
        Thread.sleep(POLL.toMillis());
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot open " + database, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted before the schema registry started", e);
    }
  }

  private static List<String> command(Path distribution, int port) {
    List<String> command = new ArrayList<>();
    // Ctrl-C reaches every process of the terminal. The registry must ignore it, because it is
    // closed after its clients. A signal that a shell ignores stays ignored across exec, and in the
    // JVM.
    command.addAll(List.of("/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh"));
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-Xms24m",
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.io.tmpdir=tmp",
            "-Dapicurio.import.work-dir=tmp",
            "-Dapicurio.storage.snapshot.location=tmp",
            "-Dquarkus.http.host=" + LoopbackPort.HOST,
            "-Dquarkus.http.port=" + port,
            "-Dquarkus.http.access-log.enabled=false",
            "-Dapicurio.storage.kind=sql",
            "-Dapicurio.storage.sql.kind=h2",
            // A path relative to the working directory needs no escapes. Without WRITE_DELAY=0, H2
            // keeps the last half
            // second of commits in memory.
            "-Dapicurio.datasource.url=jdbc:h2:file:./" + DATABASE + ";WRITE_DELAY=0",
            "-Dapicurio.datasource.jdbc.initial-size=1",
            "-Dapicurio.datasource.jdbc.min-size=1",
            "-Dapicurio.datasource.jdbc.max-size=8",
            "-cp",
            codeSource(ParentWatch.class) + ":" + runner(distribution.toAbsolutePath()),
            ParentWatch.class.getName(),
            "io.quarkus.runner.GeneratedMain"));
    return command;
  }

  private static Path runner(Path distribution) {
    try (Stream<Path> files = Files.list(distribution)) {
      return files
          .filter(file -> file.getFileName().toString().endsWith("-runner.jar"))
          .findFirst()
          .orElseThrow(() -> new IOException("no file is called *-runner.jar"));
    } catch (IOException e) {
      throw new UncheckedIOException("the schema registry is not unpacked in " + distribution, e);
    }
  }

  private static Path codeSource(Class<?> type) {
    try {
      return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException("cannot tell where " + type + " was loaded from", e);
    }
  }

  /** Waits until the registry answers, or has ended. */
  private boolean isAnswering() throws InterruptedException {
    HttpRequest question = request("/subjects").GET().build();
    long deadline = System.nanoTime() + START_TIMEOUT.toNanos();
    while (System.nanoTime() < deadline) {
      if (process.waitFor(POLL.toMillis(), TimeUnit.MILLISECONDS)) {
        return false;
      }
      try {
        if (http.send(question, BodyHandlers.discarding()).statusCode() == 200) {
          return true;
        }
      } catch (IOException e) {
        LOG.trace("The schema registry does not answer yet", e);
      }
    }
    throw new IllegalStateException(
        "the schema registry did not answer within %d s; see %s"
            .formatted(START_TIMEOUT.toSeconds(), log));
  }

  /** The last error, or its cause, that this start logged; empty where there is none. */
  private String lastError() {
    try (FileChannel channel = FileChannel.open(log)) {
      ByteBuffer tail = ByteBuffer.allocate(LOG_TAIL);
      channel.read(tail, Math.max(logStart, channel.size() - LOG_TAIL));
      String error = "";
      for (String line : new String(tail.array(), 0, tail.position(), UTF_8).split("\n")) {
        Matcher matcher = ERROR.matcher(line);
        if (matcher.matches()) {
          error = matcher.group(1);
        } else if (line.startsWith(CAUSE)) {
          error = line.substring(CAUSE.length());
        }
      }
      return error;
    } catch (IOException e) {
      LOG.debug("The schema registry's log cannot be read", e);
      return "";
    }
  }

  /** Apicurio takes any schema until told otherwise. */
  private void requireBackwardCompatibility() throws InterruptedException {
    HttpRequest order =
        request("/config")
            .header("Content-Type", "application/vnd.schemaregistry.v1+json")
            .PUT(BodyPublishers.ofString("{\"compatibility\":\"BACKWARD\"}"))
            .build();
    try {
      HttpResponse<String> answer = http.send(order, BodyHandlers.ofString());
      if (answer.statusCode() != 200) {
        throw new IOException("it answered " + answer.statusCode() + ": " + answer.body());
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot set the schema registry's compatibility", e);
    }
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(url() + path)).timeout(ANSWER_TIMEOUT);
  }

  private static void deleteRecursively(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return;
    }
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
