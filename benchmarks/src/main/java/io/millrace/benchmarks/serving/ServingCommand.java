package io.millrace.benchmarks.serving;

import io.millrace.benchmarks.load.ClosedLoad;
import io.millrace.benchmarks.model.MiniLm;
import io.millrace.benchmarks.model.OnnxEncoder;
import io.millrace.benchmarks.process.ServeProcess;
import io.millrace.benchmarks.process.TemporaryDirectory;
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
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.adapter.Classifier;
import io.millrace.svft.adapter.Merge;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.Torch;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures predictions per second of serving, with adapters and without. */
@Command(
    name = "serving",
    description = {
      "Ask a serving process as fast as it answers: a domain with the base model's own weights, one"
          + " with an adapter merged into them, and one whose adapter stays beside them.",
      "Beside it, in this process and without HTTP: the merged classifier, and ONNX Runtime on the"
          + " same model, texts and number of threads. All of them take turns."
    })
public final class ServingCommand implements Callable<Integer> {
  private static final String BASE = "base";
  private static final String MERGED = "merged";
  private static final String UNMERGED = "unmerged";
  private static final int TEXTS = 64;

  @Option(
      names = "--clients",
      paramLabel = "N",
      defaultValue = "8",
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
      names = "--threads",
      paramLabel = "N",
      description = "Predictions at once, one thread each. Default: the processors.")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Spec private CommandSpec spec;

  /** One measurement of a round, in answers per second. */
  private interface Turn {
    double perSecond(Duration time) throws InterruptedException;
  }

  @Override
  public Integer call() throws Exception {
    if (clients < 1 || seconds < 1 || rounds < 1 || threads < 1) {
      throw new UsageException("--clients, --seconds, --rounds and --threads are 1 or more");
    }
    List<String> texts =
        WordNet.load().definitions(TEXTS).stream().map(LabeledExample::getText).toList();
    try (TemporaryDirectory directory = TemporaryDirectory.create("millrace-serving");
        BaseModel base = BaseModel.loadToPredict(MiniLm.files(), Torch.device("cpu"))) {
      List<AdapterVersion> versions =
          List.of(
              SyntheticVersions.chain(base, "head", BASE, 1).get(0),
              SyntheticVersions.chain(base, "svft:plain", MERGED, 1).get(0),
              SyntheticVersions.chain(base, "svft:plain", UNMERGED, 1).get(0));
      say(measure(directory.path(), base, versions, texts));
    }
    return 0;
  }

  private Map<String, List<Double>> measure(
      Path directory, BaseModel base, List<AdapterVersion> versions, List<String> texts)
      throws IOException, InterruptedException {
    List<Setting<?>> known = new ArrayList<>(EmbeddedStack.SETTINGS);
    known.addAll(Connection.SETTINGS);
    Settings settings = Settings.of(known, null, List.of());
    try (EmbeddedStack stack =
        EmbeddedStack.start(directory.resolve("stack"), EmbeddedStack.Ports.FREE, settings)) {
      Connection connection = new Connection(stack.connect(settings));
      try (VersionPublisher publisher = new VersionPublisher(connection)) {
        versions.forEach(publisher::publish);
      }
      String concurrency = "serving.concurrency=" + threads;
      Path home = Home.directory();
      try (ServeProcess merging =
              ServeProcess.start(
                  home, directory.resolve("merging"), connection, List.of(concurrency));
          ServeProcess apart =
              ServeProcess.start(
                  home,
                  directory.resolve("apart"),
                  connection,
                  List.of(concurrency, "serving.mergedMemory=0"));
          ClosedLoad toMerging = new ClosedLoad(merging.address(), clients);
          ClosedLoad toApart = new ClosedLoad(apart.address(), clients);
          Classifier merged = merged(base, versions.get(1));
          OnnxEncoder onnx = new OnnxEncoder(1)) {
        merging.awaitReady();
        apart.awaitReady();
        Map<String, Turn> turns = new LinkedHashMap<>();
        turns.put("base model, HTTP", time -> toMerging.perSecond(BASE, texts, time));
        turns.put("merged adapter, HTTP", time -> toMerging.perSecond(MERGED, texts, time));
        turns.put("adapter apart, HTTP", time -> toApart.perSecond(UNMERGED, texts, time));
        turns.put(
            "merged adapter, in process",
            time -> inProcess(texts, time, text -> merged.logits(List.of(text))));
        turns.put(
            "ONNX Runtime, in process",
            time -> inProcess(texts, time, text -> onnx.embed(MiniLm.tokenize(base, text))));
        return take(turns);
      }
    }
  }

  private static Classifier merged(BaseModel base, AdapterVersion version) {
    Adapter adapter = Adapter.fromPayload(version.getPayload().duplicate());
    try (Merge merge = new Merge(base, adapter)) {
      while (merge.step()) {}
      return merge.finish();
    }
  }

  private Map<String, List<Double>> take(Map<String, Turn> turns) throws InterruptedException {
    Map<String, List<Double>> rates = new LinkedHashMap<>();
    for (int round = 0; round <= rounds; round++) {
      progress(round == 0 ? "warming up" : "round " + round + " of " + rounds);
      for (Map.Entry<String, Turn> each : turns.entrySet()) {
        double rate = each.getValue().perSecond(Duration.ofSeconds(seconds));
        if (round > 0) {
          rates.computeIfAbsent(each.getKey(), name -> new ArrayList<>()).add(rate);
        }
      }
    }
    return rates;
  }

  /** As many callers as the service has threads, one text at a time. */
  private double inProcess(List<String> texts, Duration time, Consumer<String> predict)
      throws InterruptedException {
    ExecutorService callers = Executors.newFixedThreadPool(threads);
    try {
      long start = System.nanoTime();
      long end = start + time.toNanos();
      List<Callable<Integer>> work = new ArrayList<>();
      for (int caller = 0; caller < threads; caller++) {
        int first = caller * texts.size() / threads;
        work.add(
            () -> {
              int count = 0;
              while (System.nanoTime() < end) {
                predict.accept(texts.get((first + count++) % texts.size()));
              }
              return count;
            });
      }
      int count = 0;
      for (Future<Integer> each : callers.invokeAll(work)) {
        count += each.get();
      }
      return count / ((System.nanoTime() - start) / 1e9);
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    } finally {
      callers.shutdown();
    }
  }

  private void say(Map<String, List<Double>> rates) {
    PrintWriter out = spec.commandLine().getOut();
    List<Double> base = rates.values().iterator().next();
    out.printf(
        "%n%-28s %10s %12s %8s %8s%n", "texts per second", "median", "to base", "min", "max");
    rates.forEach(
        (name, values) -> {
          List<Double> ratios = new ArrayList<>();
          for (int i = 0; i < values.size(); i++) {
            ratios.add(values.get(i) / base.get(i));
          }
          Quantiles rate = Quantiles.of(values);
          out.printf(
              Locale.ROOT,
              "%-28s %10.1f %12.3f %8.1f %8.1f%n",
              name,
              rate.at(0.5),
              Quantiles.of(ratios).at(0.5),
              rate.at(0),
              rate.at(1));
        });
    out.flush();
  }

  private void progress(String line) {
    PrintWriter err = spec.commandLine().getErr();
    err.println(line);
    err.flush();
  }
}
