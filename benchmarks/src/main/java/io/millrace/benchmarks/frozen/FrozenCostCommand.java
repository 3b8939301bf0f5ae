package io.millrace.benchmarks.frozen;

import io.millrace.benchmarks.load.SteadyFeed;
import io.millrace.benchmarks.process.TemporaryDirectory;
import io.millrace.benchmarks.report.MarkdownTable;
import io.millrace.benchmarks.report.Quantiles;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.console.StopSignal;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.job.AdaptationJob;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.TrainingStep;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures how much slower a job is that compares its steps with the frozen model. */
@Command(
    name = "frozen",
    description = {
      "Let the job work off a backlog of one domain, with each of the shares of its time for the"
          + " frozen model in turn, and measure examples a second.",
      "Kafka, the schema registry, Flink and the job run in this process, anew for each run."
    })
public final class FrozenCostCommand implements Callable<Integer> {
  private static final int STOPPED = 130;
  private static final double SENT_A_SECOND = 5_000;
  private static final Duration POLL = Duration.ofMillis(100);
  private static final Duration ENDS_WITHIN = Duration.ofMinutes(10);

  private static final List<Setting<?>> SETTINGS =
      Stream.of(
              JobSettings.ALL, EmbeddedStack.SETTINGS, ExampleLimits.SETTINGS, Connection.SETTINGS)
          .<Setting<?>>flatMap(List::stream)
          .toList();

  @Option(
      names = "--examples",
      paramLabel = "N",
      defaultValue = "6000",
      description = "Of the backlog; the first fifth does not count. Default: ${DEFAULT-VALUE}.")
  private int examples;

  @Option(
      names = "--shares",
      paramLabel = "SHARE,...",
      split = ",",
      defaultValue = "0,0.08,1",
      description = "Values of progress.frozenShare. Default: ${DEFAULT-VALUE}.")
  private List<Double> shares;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "3",
      description = "How often each runs. Default: ${DEFAULT-VALUE}.")
  private int rounds;

  @Mixin private final SettingsOptions options = new SettingsOptions(SETTINGS);

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    Settings settings = options.load();
    if (examples < 500 || rounds < 1) {
      throw new UsageException("--examples is 500 or more, --rounds 1 or more");
    }
    List<LabeledExample> backlog = WordNet.load().definitions(examples);
    Map<Double, List<Double>> rates = new TreeMap<>();
    try (StopSignal stop = StopSignal.install();
        TemporaryDirectory temporary = TemporaryDirectory.create("millrace-frozen")) {
      for (int round = 1; round <= rounds; round++) {
        for (double share : shares) {
          Path data = temporary.path().resolve("%d-%s".formatted(round, share));
          double rate = rate(settings.with(JobSettings.FROZEN_SHARE, share), data, backlog, stop);
          progress("round %d, share %s: %.1f examples/s".formatted(round, share, rate));
          rates.computeIfAbsent(share, key -> new ArrayList<>()).add(rate);
        }
      }
    } catch (InterruptedException e) {
      progress("Stopped.");
      return STOPPED;
    }
    say(rates);
    return 0;
  }

  private double rate(Settings settings, Path data, List<LabeledExample> backlog, StopSignal stop)
      throws InterruptedException {
    Rates steps = new Rates(backlog.size() / 5);
    try (EmbeddedStack stack = EmbeddedStack.start(data, EmbeddedStack.Ports.FREE, settings)) {
      Settings connected = stack.connect(settings);
      Connection connection = new Connection(connected);
      try (SteadyFeed feed = new SteadyFeed(connection, backlog, SENT_A_SECOND)) {
        feed.run(backlog.size());
        feed.requireSound();
      }
      try (EmbeddedFlink flink =
              EmbeddedFlink.start(data.resolve("flink"), 0, JobSettings.localSlots(connected));
          RunRecord record = new RunRecord(connection, steps)) {
        FlinkJob job =
            FlinkJob.submit(
                "127.0.0.1",
                flink.port(),
                connected,
                data.resolve("checkpoints").toString(),
                Optional.empty(),
                AdaptationJob.Input.UNBOUNDED);
        long deadline = System.nanoTime() + ENDS_WITHIN.toNanos();
        // What does not fill a batch waits for its timeout.
        while (record.examples() < backlog.size() - settings.get(JobSettings.BATCH_SIZE)) {
          if (stop.requested().isDone()) {
            throw new InterruptedException();
          }
          job.requireAlive();
          record.poll(POLL);
          if (System.nanoTime() > deadline) {
            throw new IllegalStateException(
                "%,d of %,d examples are trained on after %d min"
                    .formatted(record.examples(), backlog.size(), ENDS_WITHIN.toMinutes()));
          }
        }
      }
    }
    return steps.rate();
  }

  /** Examples a second between the end of the step that ends the warm-up and that of the last. */
  private static final class Rates implements RunRecord.Listener {
    private final int warmUp;
    private long before;
    private long counted;
    private long from;
    private long to;

    Rates(int warmUp) {
      this.warmUp = warmUp;
    }

    @Override
    public void took(TrainingStep step) {
      int examples = step.getCorrect().size();
      to = step.getFinishedAt().toEpochMilli();
      if (before < warmUp) {
        before += examples;
        from = to;
      } else {
        counted += examples;
      }
    }

    double rate() {
      return counted * 1000.0 / (to - from);
    }
  }

  private void say(Map<Double, List<Double>> rates) {
    MarkdownTable table = new MarkdownTable("progress.frozenShare");
    double none = Quantiles.of(rates.getOrDefault(0.0, List.of(Double.NaN))).at(0.5);
    rates.forEach(
        (share, all) -> {
          Quantiles sorted = Quantiles.of(all);
          String row = share.toString();
          table.put(row, "examples/s, median", "%.1f".formatted(sorted.at(0.5)));
          table.put(row, "least to most", "%.1f to %.1f".formatted(sorted.at(0), sorted.at(1)));
          table.put(row, "of the rate without", "%.3f".formatted(sorted.at(0.5) / none));
        });
    spec.commandLine().getOut().print(table);
    spec.commandLine().getOut().flush();
  }

  private void progress(String line) {
    spec.commandLine().getErr().println(line);
    spec.commandLine().getErr().flush();
  }
}
