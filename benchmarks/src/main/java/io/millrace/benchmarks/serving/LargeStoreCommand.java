package io.millrace.benchmarks.serving;

import io.millrace.benchmarks.load.SteadyLoad;
import io.millrace.benchmarks.model.MiniLm;
import io.millrace.benchmarks.process.JavaHeap;
import io.millrace.benchmarks.process.ServeProcess;
import io.millrace.benchmarks.process.TemporaryDirectory;
import io.millrace.benchmarks.report.MarkdownTable;
import io.millrace.benchmarks.report.Quantiles;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.Home;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.LabeledExample;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.Torch;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.IntFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures a serving process whose store holds very many versions or domains. */
@Command(
    name = "large-store",
    description = {
      "Start a serving process on a store with one version, on one with many versions of one domain,"
          + " and on one with many domains. Tell how long it takes until it is ready, its heap, the"
          + " processor time that it takes while nobody asks, and the latency of predictions. Requests"
          + " to the store with one version take turns with those to the others.",
      "The stores are filled from Kafka before that, by the same process; that takes some minutes and"
          + " some 15 GB of disk."
    })
public final class LargeStoreCommand implements Callable<Integer> {
  private static final int TEXTS = 64;
  private static final int PER_TRANSACTION = 200;
  private static final double PER_SECOND = 20;
  private static final Duration FILLS_WITHIN = Duration.ofHours(1);
  private static final Duration IDLE = Duration.ofSeconds(10);
  private static final int TURNS = 5;
  private static final String SMALL = "1 version";
  private static final String ONE = "one";
  private static final String METHOD = "svft:plain";

  /** Of versions that never serve; they are smaller. */
  private static final String METHOD_OF_OLD = "head";

  @Option(
      names = "--versions",
      paramLabel = "N",
      defaultValue = "400000",
      description =
          "Versions of the one domain; 0 leaves this case out. Default: ${DEFAULT-VALUE}.")
  private int versions;

  @Option(
      names = "--domains",
      paramLabel = "N",
      defaultValue = "20000",
      description = "Domains; 0 leaves this case out. Default: ${DEFAULT-VALUE}.")
  private int domains;

  @Option(
      names = "--heap",
      paramLabel = "SIZE",
      defaultValue = "512m",
      description = "Limit of the process's heap, as Java's -Xmx. Default: ${DEFAULT-VALUE}.")
  private String heap;

  @Option(
      names = "--seconds",
      paramLabel = "S",
      defaultValue = "30",
      description = "Time of the requests of each case. Default: ${DEFAULT-VALUE}.")
  private int seconds;

  @Spec private CommandSpec spec;

  private final MarkdownTable table = new MarkdownTable("store");

  /** Makes the versions of a case, one after the other. */
  private interface Stream {
    AdapterVersion version(int number, String parent);
  }

  @Override
  public Integer call() throws Exception {
    if (versions < 0 || domains < 0 || seconds < 1) {
      throw new UsageException("--versions and --domains are 0 or more, --seconds is 1 or more");
    }
    List<String> texts =
        WordNet.load().definitions(TEXTS).stream().map(LabeledExample::getText).toList();
    try (BaseModel base = BaseModel.load(MiniLm.files(), Torch.device("cpu"));
        TemporaryDirectory directory = TemporaryDirectory.create("millrace-large-store")) {
      Stream one = (number, parent) -> SyntheticVersions.version(base, METHOD, ONE, number, parent);
      Path path = directory.path();
      try (ServeProcess small = startSmall(path, one)) {
        if (versions > 0) {
          Stream many =
              (number, parent) ->
                  number == versions
                      ? SyntheticVersions.version(base, METHOD, ONE, number, parent)
                      : SyntheticVersions.version(base, METHOD_OF_OLD, ONE, number, parent);
          measure(versions + " versions", versions, many, number -> ONE, null, small, texts);
        }
        if (domains > 0) {
          Stream each =
              (number, parent) ->
                  SyntheticVersions.version(base, METHOD, "domain-" + number, 1, "");
          // Each other domain once: the number has no divisor in common with that of the domains.
          IntFunction<String> others = number -> "domain-" + (1 + (number * 7919L) % domains);
          String last = "domain-" + domains;
          measure(domains + " domains", domains, each, number -> last, others, small, texts);
        }
      }
    }
    PrintWriter out = spec.commandLine().getOut();
    out.print(table);
    out.flush();
    return 0;
  }

  /**
   * @param asked the domain of each request
   * @param others domains that were not asked before; null for none
   */
  private void measure(
      String row,
      int count,
      Stream stream,
      IntFunction<String> asked,
      IntFunction<String> others,
      ServeProcess small,
      List<String> texts)
      throws Exception {
    try (TemporaryDirectory directory = TemporaryDirectory.create("millrace-large-store");
        EmbeddedStack stack = stack(directory.path());
        ServeProcess serve = start(row, directory.path(), connection(stack), count, stream)) {
      List<Double> ofSmall = new ArrayList<>();
      List<Double> ofLarge = new ArrayList<>();
      List<Double> ofFirst = new ArrayList<>();
      SteadyLoad toSmall = new SteadyLoad(small.address(), ONE, texts, PER_SECOND);
      SteadyLoad toLarge = new SteadyLoad(serve.address(), asked, texts, PER_SECOND);
      SteadyLoad toOthers =
          others == null ? null : new SteadyLoad(serve.address(), others, texts, PER_SECOND);
      Duration turn = Duration.ofMillis(1000L * seconds / TURNS);
      for (int number = 0; number <= TURNS; number++) {
        List<Double> small1 = latencies(toSmall, turn);
        List<Double> large1 = latencies(toLarge, turn);
        List<Double> first1 = toOthers == null ? List.of() : latencies(toOthers, turn);
        if (number > 0) {
          // The first turn compiles code, and merges the versions that are asked.
          ofSmall.addAll(small1);
          ofLarge.addAll(large1);
          ofFirst.addAll(first1);
        }
      }
      put(row, "p50 ms", "%.1f", Quantiles.of(ofLarge).at(0.5));
      put(row, "p99 ms", "%.1f", Quantiles.of(ofLarge).at(0.99));
      put(row, "p50 ms, 1 version", "%.1f", Quantiles.of(ofSmall).at(0.5));
      put(row, "p99 ms, 1 version", "%.1f", Quantiles.of(ofSmall).at(0.99));
      if (others != null) {
        put(row, "p50 ms, first request", "%.1f", Quantiles.of(ofFirst).at(0.5));
        put(row, "p99 ms, first request", "%.1f", Quantiles.of(ofFirst).at(0.99));
      }
      put(row, "heap MB, after requests", "%.0f", JavaHeap.usedBytes(serve.handle()) / 1e6);
      put(row, "idle CPU %", "%.2f", 100 * idle(serve));
    }
  }

  /** It serves on without Kafka. */
  private ServeProcess startSmall(Path directory, Stream stream) throws Exception {
    try (EmbeddedStack stack = stack(directory)) {
      return start(SMALL, directory, connection(stack), 1, stream);
    }
  }

  private static EmbeddedStack stack(Path directory) {
    return EmbeddedStack.start(
        directory.resolve("stack"), EmbeddedStack.Ports.FREE, settings(EmbeddedStack.SETTINGS));
  }

  private static Connection connection(EmbeddedStack stack) {
    return new Connection(stack.connect(settings(Connection.SETTINGS)));
  }

  private static Settings settings(List<Setting<?>> known) {
    return Settings.of(known, null, List.of());
  }

  /** Fills a store from Kafka, and starts a process on it. */
  private ServeProcess start(
      String row, Path directory, Connection connection, int count, Stream stream)
      throws IOException, InterruptedException {
    progress(row + ": publishing");
    publish(connection, count, stream);
    Path data = directory.resolve("serve");
    progress(row + ": filling the store");
    long fillBegun = System.nanoTime();
    try (ServeProcess serve = serve(data, connection)) {
      serve.awaitReady(FILLS_WITHIN);
    }
    put(row, "filled in s", "%.0f", seconds(fillBegun));
    long begun = System.nanoTime();
    ServeProcess serve = serve(data, connection);
    boolean started = false;
    try {
      serve.awaitReady();
      put(row, "ready in s", "%.1f", seconds(begun));
      put(row, "heap MB, ready", "%.0f", JavaHeap.usedBytes(serve.handle()) / 1e6);
      started = true;
      return serve;
    } finally {
      if (!started) {
        serve.close();
      }
    }
  }

  private ServeProcess serve(Path data, Connection connection) throws InterruptedException {
    return ServeProcess.start(
        Home.directory(), data, connection, List.of(), Map.of("MILLRACE_JAVA_OPTS", "-Xmx" + heap));
  }

  private static void publish(Connection connection, int count, Stream stream) {
    String parent = "";
    try (VersionPublisher publisher = new VersionPublisher(connection)) {
      List<AdapterVersion> batch = new ArrayList<>();
      for (int number = 1; number <= count; number++) {
        AdapterVersion next = stream.version(number, parent);
        parent = next.getSha256();
        batch.add(next);
        if (batch.size() == PER_TRANSACTION || number == count) {
          publisher.publish(batch);
          batch.clear();
        }
      }
    }
  }

  private static List<Double> latencies(SteadyLoad load, Duration time) {
    List<SteadyLoad.Answer> answers = load.run(time);
    long failed = answers.stream().filter(answer -> answer.status() != 200).count();
    if (failed > 0) {
      throw new IllegalStateException(failed + " of " + answers.size() + " requests failed");
    }
    return answers.stream().map(SteadyLoad.Answer::millis).toList();
  }

  /** The part of one processor that it uses while nobody asks. */
  private static double idle(ServeProcess serve) throws InterruptedException, IOException {
    Duration before = serve.handle().info().totalCpuDuration().orElse(Duration.ZERO);
    Thread.sleep(IDLE.toMillis());
    Duration after = serve.handle().info().totalCpuDuration().orElse(Duration.ZERO);
    return after.minus(before).toNanos() / (double) IDLE.toNanos();
  }

  private static double seconds(long begun) {
    return (System.nanoTime() - begun) / 1e9;
  }

  private void put(String row, String column, String format, double value) {
    String cell = String.format(Locale.ROOT, format, value);
    table.put(row, column, cell);
    progress(row + ": " + column + ": " + cell);
  }

  private void progress(String line) {
    PrintWriter err = spec.commandLine().getErr();
    err.println(line);
    err.flush();
  }
}
