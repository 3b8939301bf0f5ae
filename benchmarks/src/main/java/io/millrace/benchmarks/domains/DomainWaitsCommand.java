package io.millrace.benchmarks.domains;

import io.millrace.benchmarks.process.StackProcess;
import io.millrace.benchmarks.process.TemporaryDirectory;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.console.StopSignal;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.schemas.LabeledExample;
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

/** Measures how long the batches of rare domains wait beside those of frequent ones. */
@Command(
    name = "domain-waits",
    description = {
      "Let examples of many domains come in at a steady rate, the most frequent domain 100 times as"
          + " often as the rarest, by Zipf's law. Measure the time from the append of the example that"
          + " fills a batch to the end of the batch's step.",
      "Kafka, the schema registry, Flink and the job run in this process. Unless set otherwise,"
          + " batch.size=4; no timeout closes a batch."
    })
public final class DomainWaitsCommand implements Callable<Integer> {
  private static final int STOPPED = 130;
  private static final int SMALL_BATCH = 4;

  private static final List<Setting<?>> SETTINGS =
      Stream.of(
              JobSettings.ALL, EmbeddedStack.SETTINGS, ExampleLimits.SETTINGS, Connection.SETTINGS)
          .<Setting<?>>flatMap(List::stream)
          .toList();

  @Option(
      names = "--domains",
      paramLabel = "N",
      defaultValue = "1000",
      description = "Domains. Default: ${DEFAULT-VALUE}.")
  private int domains;

  @Option(
      names = "--skew",
      paramLabel = "N",
      defaultValue = "100",
      description =
          "How many times as often as the rarest domain the most frequent one comes. Default:"
              + " ${DEFAULT-VALUE}.")
  private double skew;

  @Option(
      names = "--rate",
      paramLabel = "N",
      defaultValue = "60",
      description = "Examples a second. Default: ${DEFAULT-VALUE}.")
  private double rate;

  @Option(
      names = "--seconds",
      paramLabel = "N",
      defaultValue = "300",
      description = "How long examples come in that count. Default: ${DEFAULT-VALUE}.")
  private int seconds;

  @Option(
      names = "--warm-up",
      paramLabel = "N",
      defaultValue = "30",
      description = "Seconds before that whose examples do not count. Default: ${DEFAULT-VALUE}.")
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
    if (domains < 2 || seconds < 1) {
      throw new UsageException("--domains is 2 or more, --seconds 1 or more");
    }
    if (!(rate > 0 && rate <= 10_000)) {
      throw new UsageException("--rate: " + rate + " is not above 0 and at most 10000");
    }
    int before = (int) (warmUp * rate);
    if (before < 1) {
      throw new UsageException(
          "--warm-up: %d s at %s a second are no example; the job's start would count"
              .formatted(warmUp, rate));
    }
    if (set.explicit().containsKey(JobSettings.BATCH_TIMEOUT.key())) {
      throw new UsageException("batch.timeout: the command sets it to none");
    }
    if (!(skew >= 1 && skew <= 1e6)) {
      throw new UsageException("--skew: " + skew + " is not 1 to 1000000");
    }
    if (data != null && !StackProcess.canKeepDataIn(data)) {
      throw new UsageException("--data: " + data + " holds something already; name a new one");
    }
    Settings settings = set.with(JobSettings.BATCH_TIMEOUT, Duration.ZERO);
    if (!set.explicit().containsKey(JobSettings.BATCH_SIZE.key())) {
      settings = settings.with(JobSettings.BATCH_SIZE, SMALL_BATCH);
    }
    List<LabeledExample> examples =
        DealtExamples.byZipf(
            WordNet.load().definitions(Integer.MAX_VALUE),
            before + (int) Math.ceil(seconds * rate),
            domains,
            skew);
    try (StopSignal stop = StopSignal.install();
        TemporaryDirectory temporary = TemporaryDirectory.create("millrace-domain-waits")) {
      return say(
          new DomainWaitsRun(
                  settings,
                  data == null ? temporary.path().resolve("data") : data.toAbsolutePath(),
                  stop,
                  this::progress)
              .run(examples, domains, rate, before));
    } catch (InterruptedException e) {
      progress("Stopped.");
      return STOPPED;
    }
  }

  private int say(DomainWaitsRun.Result result) {
    PrintWriter out = spec.commandLine().getOut();
    out.printf("%n%s%n", result.waits());
    if (!result.kept()) {
      out.println(
          "The stream OUTRAN training: what was measured is a queue. Take a lower --rate, or a machine"
              + " that has no other users.");
    }
    out.printf(
        Locale.ROOT,
        "The rarer half's 99th percentile is %.2f times that of the tenth in the middle; %.0f is the"
            + " most that is wanted. It is %.2f times the median of all batches.%n",
        result.waits().toTheMiddle(),
        DomainWaits.MOST,
        result.waits().toTheMedian());
    out.flush();
    return 0;
  }

  private void progress(String line) {
    PrintWriter err = spec.commandLine().getErr();
    err.println(line);
    err.flush();
  }
}
