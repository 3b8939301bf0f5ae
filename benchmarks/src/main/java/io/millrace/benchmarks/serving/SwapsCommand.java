package io.millrace.benchmarks.serving;

import io.millrace.benchmarks.load.SteadyLoad;
import io.millrace.benchmarks.model.MiniLm;
import io.millrace.benchmarks.process.ServeProcess;
import io.millrace.benchmarks.process.StackProcess;
import io.millrace.benchmarks.process.TemporaryDirectory;
import io.millrace.benchmarks.report.Quantiles;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.Home;
import io.millrace.client.process.UsageException;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.LabeledExample;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.adapter.Classifier;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.Torch;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures the cost of version swaps for the requests served at that time. */
@Command(
    name = "swaps",
    description = {
      "Publish versions of one domain, one after the other, to a serving process under a steady"
          + " load, and compare latencies with and without.",
      "Stretches with and without swaps take turns. Kafka runs beside it with the lowest priority,"
          + " as if it were on another machine. Every answer's logits are compared with those"
          + " of the version it names, computed by that adapter alone.",
      "Exit code 1 where a request failed or an answer does not fit its version."
    })
public final class SwapsCommand implements Callable<Integer> {
  private static final String DOMAIN = "swaps";
  private static final int TEXTS = 8;

  /** Swaps before the measurement, so that Java has compiled their code. */
  private static final int WARM_UP_VERSIONS = 60;

  private static final Duration WARM_UP = Duration.ofSeconds(30);

  /** Merged weights, other slices of a batch, and the text form of a number change this much. */
  private static final double TOLERANCE = 1e-4;

  @Option(
      names = "--versions",
      paramLabel = "N",
      defaultValue = "200",
      description = "Versions to swap in. Default: ${DEFAULT-VALUE}.")
  private int versions;

  @Option(
      names = "--seconds",
      paramLabel = "S",
      defaultValue = "120",
      description = "Time for them all; as long again goes without. Default: ${DEFAULT-VALUE}.")
  private int seconds;

  @Option(
      names = "--rate",
      paramLabel = "R",
      defaultValue = "60",
      description = "Requests per second. Default: ${DEFAULT-VALUE}.")
  private double rate;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "4",
      description = "Stretches with swaps, and without. Default: ${DEFAULT-VALUE}.")
  private int rounds;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "A setting of the serving process.")
  private List<String> settings = new ArrayList<>();

  @Spec private CommandSpec spec;

  private final List<SteadyLoad.Answer> without = new ArrayList<>();
  private final List<SteadyLoad.Answer> with = new ArrayList<>();
  private String metrics;

  @Override
  public Integer call() throws Exception {
    if (versions < rounds || rounds < 1 || seconds < rounds || !(rate > 0)) {
      throw new UsageException("--versions, --seconds and --rate: too few for that many --rounds");
    }
    try (TemporaryDirectory directory = TemporaryDirectory.create("millrace-swaps");
        BaseModel base = BaseModel.load(MiniLm.files(), Torch.device("cpu"))) {
      List<String> texts = texts();
      List<AdapterVersion> chain =
          SyntheticVersions.chain(base, "svft:plain", DOMAIN, 1 + WARM_UP_VERSIONS + versions);
      progress("computing what each version answers");
      List<List<Map<String, Float>>> expected = expected(base, chain, texts);
      measure(directory.path(), chain, texts);
      return say(expected);
    }
  }

  private static List<String> texts() throws IOException {
    return WordNet.load().definitions(TEXTS).stream().map(LabeledExample::getText).toList();
  }

  /** Per version and text the logits by label. */
  private static List<List<Map<String, Float>>> expected(
      BaseModel base, List<AdapterVersion> chain, List<String> texts) {
    List<List<Map<String, Float>>> expected = new ArrayList<>();
    for (AdapterVersion version : chain) {
      Adapter adapter = Adapter.fromPayload(version.getPayload().duplicate());
      try (Classifier alone = new Classifier(base, adapter)) {
        List<Map<String, Float>> ofVersion = new ArrayList<>();
        for (String text : texts) {
          float[] logits = alone.logits(List.of(text))[0];
          Map<String, Float> byLabel = new HashMap<>();
          for (int i = 0; i < logits.length; i++) {
            byLabel.put(adapter.labels().get(i), logits[i]);
          }
          ofVersion.add(byLabel);
        }
        expected.add(ofVersion);
      }
    }
    return expected;
  }

  private void measure(Path directory, List<AdapterVersion> chain, List<String> texts)
      throws IOException, InterruptedException {
    Path home = Home.directory();
    try (StackProcess stack = StackProcess.start(home, directory.resolve("stack"))) {
      Connection connection = stack.connection();
      try (VersionPublisher publisher = new VersionPublisher(connection);
          ServeProcess serve =
              ServeProcess.start(home, directory.resolve("serve"), connection, settings)) {
        publisher.publish(chain.get(0));
        SteadyLoad load = new SteadyLoad(serve.address(), DOMAIN, texts, rate);
        awaitAnswers(serve, load);
        progress("warming up");
        int first = 1 + WARM_UP_VERSIONS;
        runWithSwaps(load, WARM_UP, publisher, chain.subList(1, first));
        int published = first;
        for (int round = 1; round <= rounds; round++) {
          Duration stretch = Duration.ofMillis(1000L * seconds / rounds);
          progress("round " + round + " of " + rounds + ": without swaps");
          without.addAll(load.run(stretch));
          int until = first + versions * round / rounds;
          progress("round " + round + " of " + rounds + ": " + (until - published) + " swaps");
          with.addAll(runWithSwaps(load, stretch, publisher, chain.subList(published, until)));
          published = until;
          // The last one may not have arrived yet.
          load.run(Duration.ofSeconds(2));
        }
        metrics = serve.get("/metrics").body();
      }
    }
  }

  private static List<SteadyLoad.Answer> runWithSwaps(
      SteadyLoad load, Duration time, VersionPublisher publisher, List<AdapterVersion> versions) {
    CompletableFuture<Void> publishing =
        CompletableFuture.runAsync(() -> publish(publisher, versions, time));
    List<SteadyLoad.Answer> answers = load.run(time);
    publishing.join();
    return answers;
  }

  private static void publish(
      VersionPublisher publisher, List<AdapterVersion> versions, Duration time) {
    long start = System.nanoTime();
    for (int i = 0; i < versions.size(); i++) {
      long due = start + time.toNanos() * i / versions.size();
      for (long wait = due - System.nanoTime(); wait > 0; wait = due - System.nanoTime()) {
        LockSupport.parkNanos(wait);
      }
      publisher.publish(versions.get(i));
    }
  }

  private static void awaitAnswers(ServeProcess serve, SteadyLoad load)
      throws IOException, InterruptedException {
    serve.awaitReady();
    long deadline = System.nanoTime() + Duration.ofMinutes(1).toNanos();
    while (load.run(Duration.ofMillis(100)).stream().anyMatch(a -> a.status() != 200)) {
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException("the first version does not serve within a minute");
      }
    }
  }

  private int say(List<List<Map<String, Float>>> expected) {
    List<SteadyLoad.Answer> all = Stream.concat(without.stream(), with.stream()).toList();
    long failed = all.stream().filter(answer -> answer.status() != 200).count();
    long wrong =
        all.stream().filter(answer -> answer.status() == 200 && !fits(answer, expected)).count();
    long seen = all.stream().mapToLong(SteadyLoad.Answer::version).distinct().count();
    Quantiles a = millis(without);
    Quantiles b = millis(with);
    PrintWriter out = spec.commandLine().getOut();
    out.printf(Locale.ROOT, "%n%-16s %10s %10s %10s %10s%n", "", "requests", "p50", "p99", "max");
    row(out, "without swaps", without.size(), a);
    row(out, "with swaps", with.size(), b);
    out.printf(
        Locale.ROOT,
        "%np99 with swaps is %.2f times that without, p50 %.2f times.%n",
        b.at(0.99) / a.at(0.99),
        b.at(0.5) / a.at(0.5));
    out.printf(
        "%,d versions published in %d s, %,d seen in answers; %,d requests failed, %,d answers do"
            + " not fit the version they name.%n",
        versions, seconds, seen, failed, wrong);
    for (String name : List.of("merge", "swap")) {
      PrometheusHistogram.parse(metrics, "millrace_" + name + "_seconds")
          .ifPresent(
              histogram ->
                  out.printf(
                      Locale.ROOT,
                      "%-5s  %,d times, p50 %.0f ms, p99 %.0f ms%n",
                      name,
                      histogram.count(),
                      1000 * histogram.quantile(0.5),
                      1000 * histogram.quantile(0.99)));
    }
    out.println(
        "(merge: with its pauses for requests; swap: from the version's arrival to its first use)");
    out.flush();
    return failed + wrong == 0 ? 0 : 1;
  }

  private static void row(PrintWriter out, String name, int requests, Quantiles millis) {
    out.printf(
        Locale.ROOT,
        "%-16s %,10d %7.1f ms %7.1f ms %7.1f ms%n",
        name,
        requests,
        millis.at(0.5),
        millis.at(0.99),
        millis.at(1));
  }

  private static Quantiles millis(List<SteadyLoad.Answer> answers) {
    return Quantiles.of(answers.stream().map(SteadyLoad.Answer::millis).toList());
  }

  private static boolean fits(SteadyLoad.Answer answer, List<List<Map<String, Float>>> expected) {
    Map<String, Float> due = expected.get((int) answer.version() - 1).get(answer.text());
    return due.keySet().equals(answer.logits().keySet())
        && due.entrySet().stream()
            .allMatch(e -> Math.abs(answer.logits().get(e.getKey()) - e.getValue()) <= TOLERANCE);
  }

  private void progress(String line) {
    PrintWriter err = spec.commandLine().getErr();
    err.println(line);
    err.flush();
  }
}
