package io.millrace.benchmarks.live;

import io.millrace.benchmarks.process.StackProcess;
import io.millrace.benchmarks.process.TemporaryDirectory;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.console.StopSignal;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.ModelStore;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures how long a label takes to change an answer. */
@Command(
    name = "label-to-live",
    description = {
      "Measure the time from an example's append in Kafka to the first answer by a version that was"
          + " trained on it, and where it goes.",
      "Kafka, the schema registry, Flink and the job run in this process, and bin/millrace serve"
          + " beside it. Examples come in at a steady rate; a client asks for a prediction every 10"
          + " ms and looks which version answers.",
      "Unless set otherwise, every step publishes a version: publish.everySteps=1."
    })
public final class LabelToLiveCommand implements Callable<Integer> {
  private static final int STOPPED = 130;

  private static final List<Setting<?>> SETTINGS =
      Stream.of(
              JobSettings.ALL, EmbeddedStack.SETTINGS, ExampleLimits.SETTINGS, Connection.SETTINGS)
          .<Setting<?>>flatMap(List::stream)
          .toList();

  @Option(
      names = "--rate",
      paramLabel = "N",
      defaultValue = "30",
      description = "Examples a second. Default: ${DEFAULT-VALUE}.")
  private double rate;

  @Option(
      names = "--seconds",
      paramLabel = "N",
      defaultValue = "120",
      description = "How long examples come in that count. Default: ${DEFAULT-VALUE}.")
  private int seconds;

  @Option(
      names = "--warm-up",
      paramLabel = "N",
      defaultValue = "30",
      description =
          "Seconds from the first answer on that do not count. Default: ${DEFAULT-VALUE}.")
  private int warmUp;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description =
          "Keep the run's data here: nothing but logs may be there yet. Default: a temporary"
              + " directory, removed at the end.")
  private Path data;

  @Mixin private final SettingsOptions options = new SettingsOptions(SETTINGS);

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    Settings set = options.load();
    if (!(rate > 0 && rate <= 10_000)) {
      throw new UsageException("--rate: " + rate + " is not above 0 and at most 10000");
    }
    if (seconds < 1 || warmUp < 0) {
      throw new UsageException("--seconds is 1 or more, --warm-up 0 or more");
    }
    if (data != null && !StackProcess.canKeepDataIn(data)) {
      throw new UsageException("--data: " + data + " holds something already; name a new one");
    }
    Settings settings =
        set.explicit().containsKey(JobSettings.PUBLISH_EVERY_STEPS.key())
            ? set
            : set.with(JobSettings.PUBLISH_EVERY_STEPS, 1);
    prepareModel(settings);
    try (StopSignal stop = StopSignal.install();
        TemporaryDirectory temporary = TemporaryDirectory.create("millrace-label-to-live")) {
      return say(
          settings,
          new LabelToLiveRun(
                  settings,
                  data == null ? temporary.path().resolve("data") : data.toAbsolutePath(),
                  stop,
                  this::progress)
              .run(rate, Duration.ofSeconds(warmUp), Duration.ofSeconds(seconds)));
    } catch (InterruptedException e) {
      progress("Stopped.");
      return STOPPED;
    }
  }

  /** Ahead of those who need it, each of which would do it otherwise. */
  private void prepareModel(Settings settings) {
    String model = settings.get(JobSettings.MODEL_NAME);
    try {
      new ModelStore(Path.of(JobSettings.modelStore(settings)))
          .prepare(
              model,
              (name, done, total) -> {
                if (done == 0) {
                  progress("Factorising " + name + ", once ...");
                }
              });
    } catch (ModelException e) {
      throw new UsageException(e.getMessage(), e);
    }
  }

  private int say(Settings settings, LabelToLiveRun.Result result) {
    LabelToLive latencies = result.latencies();
    PrintWriter out = spec.commandLine().getOut();
    out.printf("%n%s%n", latencies);
    out.printf(
        Locale.ROOT,
        "%,d examples, %.3g a second, in %,d versions; batches of %d, a version every %d steps,"
            + " checkpoints every %d ms.%n",
        latencies.examples(),
        rate,
        latencies.versions(),
        settings.get(JobSettings.BATCH_SIZE),
        settings.get(JobSettings.PUBLISH_EVERY_STEPS),
        settings.get(JobSettings.CHECKPOINT_INTERVAL).toMillis());
    out.printf(Locale.ROOT, "%,d predictions, %,d failed.%n", result.answers(), result.failures());
    if (latencies.outran(1000 * settings.get(JobSettings.BATCH_SIZE) / rate)) {
      out.println(
          "The stream OUTRAN training: what was measured is a queue. Take a lower --rate, or a machine"
              + " that has no other users.");
    }
    out.printf(
        Locale.ROOT,
        "Label to live: p50 %.2f s, p90 %.2f s, p99 %.2f s, at most %.2f s.%n",
        latencies.seconds(0.5),
        latencies.seconds(0.9),
        latencies.seconds(0.99),
        latencies.seconds(1));
    out.flush();
    return 0;
  }

  private void progress(String line) {
    PrintWriter err = spec.commandLine().getErr();
    err.println(line);
    err.flush();
  }
}
