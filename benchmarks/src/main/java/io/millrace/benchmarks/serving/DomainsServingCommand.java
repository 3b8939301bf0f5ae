package io.millrace.benchmarks.serving;

import io.millrace.benchmarks.load.ClosedLoad;
import io.millrace.benchmarks.load.SteadyLoad;
import io.millrace.benchmarks.model.MiniLm;
import io.millrace.benchmarks.process.JavaHeap;
import io.millrace.benchmarks.process.ResidentMemory;
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
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.function.ToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures a serving process that answers for very many domains, few requests each. */
@Command(
    name = "domains-serving",
    description = {
      "Start a serving process on a store with many domains, a plain SVFT adapter each. Measure the"
          + " requests per second that it answers for many domains in random order and, in turns, for"
          + " one domain whose adapter is merged into the weights. Then ask domains that are not in"
          + " memory, and measure how long their loading takes, and the memory.",
      "The store is filled from Kafka before that; 100,000 domains take some minutes and some 15 GB of"
          + " disk."
    })
public final class DomainsServingCommand implements Callable<Integer> {
  private static final int TEXTS = 64;
  private static final int PER_TRANSACTION = 200;
  private static final Duration FILLS_WITHIN = Duration.ofHours(1);
  private static final String METHOD = "svft:plain";
  private static final String MERGED = "merged";
  private static final String LOADS = "millrace_domain_load_seconds";

  @Option(
      names = "--domains",
      paramLabel = "N",
      defaultValue = "1000",
      description = "Domains that are asked in random order. Default: ${DEFAULT-VALUE}.")
  private int domains;

  @Option(
      names = "--stored",
      paramLabel = "N",
      defaultValue = "100000",
      description = "Domains in the store, at least --domains. Default: ${DEFAULT-VALUE}.")
  private int stored;

  @Option(
      names = "--clients",
      paramLabel = "N",
      defaultValue = "16",
      description = "Clients at once. Default: ${DEFAULT-VALUE}.")
  private int clients;

  @Option(
      names = "--seconds",
      paramLabel = "S",
      defaultValue = "10",
      description = "Time of each turn. Default: ${DEFAULT-VALUE}.")
  private int seconds;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "5",
      description = "Turns of each. Default: ${DEFAULT-VALUE}.")
  private int rounds;

  @Option(
      names = "--rate",
      paramLabel = "R",
      defaultValue = "50",
      description =
          "Requests per second while loading is measured, each for another domain. Default:"
              + " ${DEFAULT-VALUE}.")
  private double rate;

  @Option(
      names = "--loaded-memory",
      paramLabel = "SIZE",
      defaultValue = "256MiB",
      description = "Limit of the adapters in memory. Default: ${DEFAULT-VALUE}.")
  private String loadedMemory;

  @Option(
      names = "--heap",
      paramLabel = "SIZE",
      defaultValue = "1g",
      description = "Limit of the process's heap, as Java's -Xmx. Default: ${DEFAULT-VALUE}.")
  private String heap;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws Exception {
    if (domains < 1 || clients < 1 || seconds < 1 || rounds < 1) {
      throw new UsageException("--domains, --clients, --seconds and --rounds are 1 or more");
    }
    if (stored < domains) {
      throw new UsageException("--stored is " + stored + ", less than --domains, " + domains);
    }
    if (!(rate > 0 && rate <= 10_000)) {
      throw new UsageException("--rate: " + rate + " is not above 0 and at most 10000");
    }
    List<String> texts =
        WordNet.load().definitions(TEXTS).stream().map(LabeledExample::getText).toList();
    try (TemporaryDirectory directory = TemporaryDirectory.create("millrace-domains-serving");
        EmbeddedStack stack =
            EmbeddedStack.start(
                directory.path().resolve("stack"),
                EmbeddedStack.Ports.FREE,
                settings(EmbeddedStack.SETTINGS))) {
      Connection connection = new Connection(stack.connect(settings(Connection.SETTINGS)));
      progress("publishing " + (stored + 1) + " versions");
      publish(connection);
      Path data = directory.path().resolve("serve");
      progress("filling the store");
      try (ServeProcess serve = serve(data, connection)) {
        serve.awaitReady(FILLS_WITHIN);
      }
      try (ServeProcess serve = serve(data, connection)) {
        serve.awaitReady();
        Memory ready = Memory.of(serve);
        say(throughput(serve, texts));
        Memory answered = Memory.of(serve);
        say(coldLoads(serve, texts));
        say(memory(ready, answered, Memory.of(serve)));
      }
    }
    return 0;
  }

  private static Settings settings(List<Setting<?>> known) {
    return Settings.of(known, null, List.of());
  }

  private ServeProcess serve(Path data, Connection connection) throws InterruptedException {
    return ServeProcess.start(
        Home.directory(),
        data,
        connection,
        List.of("serving.loadedMemory=" + loadedMemory),
        Map.of("MILLRACE_JAVA_OPTS", "-Xmx" + heap));
  }

  private static String domain(int number) {
    return "domain-" + number;
  }

  private void publish(Connection connection) {
    try (BaseModel base = BaseModel.load(MiniLm.files(), Torch.device("cpu"));
        VersionPublisher publisher = new VersionPublisher(connection)) {
      List<AdapterVersion> batch = new ArrayList<>();
      batch.add(SyntheticVersions.version(base, METHOD, MERGED, 1, ""));
      for (int number = 0; number < stored; number++) {
        batch.add(SyntheticVersions.version(base, METHOD, domain(number), 1, ""));
        if (batch.size() >= PER_TRANSACTION || number == stored - 1) {
          publisher.publish(batch);
          batch.clear();
        }
      }
    }
  }

  private MarkdownTable throughput(ServeProcess serve, List<String> texts)
      throws IOException, InterruptedException {
    List<String> many =
        new ArrayList<>(
            IntStream.range(0, domains).mapToObj(DomainsServingCommand::domain).toList());
    Collections.shuffle(many, new Random(1));
    List<Turn> ofOne = new ArrayList<>();
    List<Turn> ofMany = new ArrayList<>();
    PrometheusHistogram texts1 = null;
    PrometheusHistogram adapters1 = null;
    try (ClosedLoad load = new ClosedLoad(serve.address(), clients)) {
      Duration turn = Duration.ofSeconds(seconds);
      for (int round = 0; round <= rounds; round++) {
        progress(round == 0 ? "warming up" : "round " + round + " of " + rounds);
        Turn one = turn(serve, turn, time -> load.perSecond(MERGED, texts, time));
        PrometheusHistogram textsBefore = histogram(serve, "millrace_batch_size");
        PrometheusHistogram adaptersBefore = histogram(serve, "millrace_batch_adapters");
        Turn all = turn(serve, turn, time -> load.perSecond(many, texts, time));
        // The first round compiles code, loads the domains and merges the one.
        if (round > 0) {
          ofOne.add(one);
          ofMany.add(all);
          texts1 = histogram(serve, "millrace_batch_size").since(textsBefore);
          adapters1 = histogram(serve, "millrace_batch_adapters").since(adaptersBefore);
        }
      }
    }
    if (!serve.get("/v1/adapters?domain=" + MERGED).body().contains("\"merged\":true")) {
      progress("the adapter of the one domain was not merged: --seconds is too short");
    }
    MarkdownTable table = new MarkdownTable("requests per second");
    putTurns(table, "one merged domain", ofOne);
    String row = domains + " domains in random order";
    putTurns(table, row, ofMany);
    put(table, row, "to one", "%.3f", median(ratios(ofMany, ofOne, Turn::perSecond)));
    put(
        table,
        row,
        "to one, by processor time",
        "%.3f",
        median(ratios(ofOne, ofMany, Turn::processorMillis)));
    put(table, row, "texts in a pass, p50", "%.1f", texts1.quantile(0.5));
    put(table, row, "adapters in a pass, p50", "%.1f", adapters1.quantile(0.5));
    return table;
  }

  /** Answers per second, given the time that it is to take. */
  private interface Rate {
    double perSecond(Duration time) throws InterruptedException;
  }

  /**
   * A turn of the load.
   *
   * @param perSecond answers
   * @param processorMillis that the serving process spent for each
   */
  private record Turn(double perSecond, double processorMillis) {}

  private static Turn turn(ServeProcess serve, Duration time, Rate rate)
      throws InterruptedException {
    Duration before = processorTime(serve);
    long start = System.nanoTime();
    double perSecond = rate.perSecond(time);
    double answers = perSecond * (System.nanoTime() - start) / 1e9;
    return new Turn(perSecond, processorTime(serve).minus(before).toNanos() / 1e6 / answers);
  }

  private static Duration processorTime(ServeProcess serve) {
    return serve.handle().info().totalCpuDuration().orElse(Duration.ZERO);
  }

  private static List<Double> ratios(
      List<Turn> turns, List<Turn> others, ToDoubleFunction<Turn> value) {
    return IntStream.range(0, turns.size())
        .mapToObj(i -> value.applyAsDouble(turns.get(i)) / value.applyAsDouble(others.get(i)))
        .toList();
  }

  private static double median(List<Double> values) {
    return Quantiles.of(values).at(0.5);
  }

  private static void putTurns(MarkdownTable table, String row, List<Turn> turns) {
    List<Double> rates = turns.stream().map(Turn::perSecond).toList();
    put(table, row, "median", "%.1f", median(rates));
    put(table, row, "min", "%.1f", Quantiles.of(rates).at(0));
    put(table, row, "max", "%.1f", Quantiles.of(rates).at(1));
    put(
        table,
        row,
        "processor ms",
        "%.2f",
        median(turns.stream().map(Turn::processorMillis).toList()));
  }

  /**
   * What the serving process takes.
   *
   * @param heap bytes after a full collection
   * @param resident bytes
   * @param domains in memory
   */
  private record Memory(long heap, long resident, double domains) {
    static Memory of(ServeProcess serve) throws IOException, InterruptedException {
      long heap = JavaHeap.usedBytes(serve.handle());
      return new Memory(
          heap, ResidentMemory.bytes(serve.handle()), gauge(serve, "millrace_loaded_domains"));
    }
  }

  private static MarkdownTable memory(Memory ready, Memory answered, Memory loaded) {
    MarkdownTable table = new MarkdownTable("memory");
    put(table, "ready", ready);
    put(table, "after the requests of part 1", answered);
    put(table, "after those of part 2", loaded);
    return table;
  }

  private static void put(MarkdownTable table, String row, Memory memory) {
    put(table, row, "domains in memory", "%.0f", memory.domains());
    put(table, row, "heap MB", "%.0f", memory.heap() / 1e6);
    put(table, row, "resident MB", "%.0f", memory.resident() / 1e6);
  }

  private MarkdownTable coldLoads(ServeProcess serve, List<String> texts)
      throws IOException, InterruptedException {
    progress("loading domains that are not in memory");
    // Those that were not asked before, each once: the factor is a prime. The warm-up may have
    // loaded
    // some of them; the count of loads tells.
    int cold = Math.max(1, stored - domains);
    SteadyLoad toCold =
        new SteadyLoad(
            serve.address(),
            number -> domain(stored - 1 - (int) (number * 1_000_003L % cold)),
            texts,
            rate);
    SteadyLoad toLoaded = new SteadyLoad(serve.address(), domain(0), texts, rate);
    Duration time = Duration.ofSeconds((long) seconds * rounds);
    latencies(toLoaded, Duration.ofSeconds(seconds));
    List<Double> ofLoaded = latencies(toLoaded, time);
    PrometheusHistogram before = histogram(serve, LOADS);
    List<Double> ofCold = latencies(toCold, time);
    PrometheusHistogram loads = histogram(serve, LOADS).since(before);
    if (loads.count() == 0) {
      throw new IllegalStateException(
          "no domain was loaded: all are in memory; give more --stored or less --loaded-memory");
    }
    MarkdownTable table = new MarkdownTable("store");
    String row = stored + " domains";
    put(table, row, "loads", "%.0f", loads.count());
    put(table, row, "load p50 ms", "%.2f", 1000 * loads.quantile(0.5));
    put(table, row, "load p99 ms", "%.2f", 1000 * loads.quantile(0.99));
    put(table, row, "first request p50 ms", "%.1f", Quantiles.of(ofCold).at(0.5));
    put(table, row, "first request p99 ms", "%.1f", Quantiles.of(ofCold).at(0.99));
    put(table, row, "loaded p50 ms", "%.1f", Quantiles.of(ofLoaded).at(0.5));
    put(table, row, "loaded p99 ms", "%.1f", Quantiles.of(ofLoaded).at(0.99));
    put(table, row, "adapters MB", "%.0f", gauge(serve, "millrace_loaded_bytes") / 1e6);
    return table;
  }

  private static List<Double> latencies(SteadyLoad load, Duration time) {
    List<SteadyLoad.Answer> answers = load.run(time);
    long failed = answers.stream().filter(answer -> answer.version() == 0).count();
    if (failed > 0) {
      throw new IllegalStateException(failed + " of " + answers.size() + " requests failed");
    }
    return answers.stream().map(SteadyLoad.Answer::millis).toList();
  }

  private static PrometheusHistogram histogram(ServeProcess serve, String name)
      throws IOException, InterruptedException {
    return PrometheusHistogram.parse(serve.get("/metrics").body(), name).orElseThrow();
  }

  private static double gauge(ServeProcess serve, String name)
      throws IOException, InterruptedException {
    Matcher line =
        Pattern.compile("(?m)^" + name + " (\\S+)$").matcher(serve.get("/metrics").body());
    if (!line.find()) {
      throw new IllegalStateException("no " + name + " in /metrics");
    }
    return Double.parseDouble(line.group(1));
  }

  private static void put(
      MarkdownTable table, String row, String column, String format, double value) {
    table.put(row, column, String.format(Locale.ROOT, format, value));
  }

  private void say(MarkdownTable table) {
    PrintWriter out = spec.commandLine().getOut();
    out.print(table);
    out.println();
    out.flush();
  }

  private void progress(String line) {
    PrintWriter err = spec.commandLine().getErr();
    err.println(line);
    err.flush();
  }
}
