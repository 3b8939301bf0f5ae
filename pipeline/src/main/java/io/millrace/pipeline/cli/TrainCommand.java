package io.millrace.pipeline.cli;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.ExitCode;
import io.millrace.client.process.Home;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.console.Progress;
import io.millrace.pipeline.console.StopSignal;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.embedded.PeakMemory;
import io.millrace.pipeline.input.ExampleFile;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.input.ExampleProducer;
import io.millrace.pipeline.input.RejectedLines;
import io.millrace.pipeline.input.Sent;
import io.millrace.pipeline.job.AdaptationJob;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.pipeline.report.RunReport;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.InitialAdapters;
import io.millrace.pipeline.submission.JobWatch;
import io.millrace.pipeline.submission.Lineage;
import io.millrace.pipeline.submission.RecordLimits;
import io.millrace.pipeline.submission.StartingState;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.ModelFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Runs the job over a file, to its end, in the embedded stack. */
@Command(
    name = "train",
    description = {
      "Train on a file of labeled examples, to its end, through Kafka and Flink on this machine.",
      "A run that was cut off, even by kill -9, goes on where it stopped when the same command comes"
          + " again; a finished one starts anew.",
      "What it published stays in its data directory: millrace up --data DIR opens it."
    })
final class TrainCommand implements Callable<Integer> {
  /** The settings of a run on this machine: of the job, the stack and the connection. */
  static final List<Setting<?>> SETTINGS =
      Stream.of(
              JobSettings.ALL, EmbeddedStack.SETTINGS, ExampleLimits.SETTINGS, Connection.SETTINGS)
          .<Setting<?>>flatMap(List::stream)
          .toList();

  @Option(
      names = "--input",
      required = true,
      paramLabel = "FILE.jsonl",
      description =
          "The examples, one JSON object a line: see millrace produce --help. - reads the standard"
              + " input.")
  private Path input;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "Directory of the data. Default: data/train where Millrace is installed.")
  private Path data;

  @Mixin private final ReportOption report = new ReportOption();

  @Mixin private final Output output = new Output();

  @Mixin private final SettingsOptions options = new SettingsOptions(SETTINGS);

  @Override
  public Integer call() {
    long began = System.nanoTime();
    Settings settings = forFiles(options.load());
    List<AdapterMethod> methods = JobSettings.domains(settings).methods();
    JobSettings.requireSigningKey(settings);
    int slots = JobSettings.localSlots(settings);
    ExampleFile file = open();
    report.requireWritable();
    BaseModels.find(settings)
        .ifPresent(
            known -> {
              RecordLimits.requireFit(settings, known);
              InitialAdapters.requireFit(settings, known);
            });
    RunDirectory run =
        RunDirectory.open(
            data == null ? Home.data().resolve("train") : data, file.sha256(), settings.explicit());
    ModelFiles model = BaseModels.prepare(settings);
    RecordLimits.requireFit(settings, model);
    InitialAdapters.requireFit(settings, model).forEach(output::warn);
    methods.forEach(method -> method.warning(model).ifPresent(output::warn));
    try (StopSignal stop = StopSignal.install()) {
      output.progress(
          run.resumed() ? "Going on with the run in " + run.path() : "Starting the stack ...");
      try (EmbeddedStack stack =
              EmbeddedStack.start(run.path(), EmbeddedStack.Ports.FREE, settings);
          EmbeddedFlink flink = EmbeddedFlink.start(run.path().resolve("flink"), 0, slots)) {
        Settings connected = stack.connect(settings);
        Sent sent = send(file, connected);
        if (sent.examples() == 0) {
          throw new IllegalStateException(
              RejectedLines.nothingIn(file.name(), sent.deadLettersByClass()));
        }
        Connection connection = new Connection(connected);
        Lineage lineage = lineage(run.path(), connected);
        Optional<StartingState> start = lineage.latest();
        try (RunRecord record = new RunRecord(connection)) {
          if (lineage.isBehind(connection)) {
            // A job that has ended leaves output and no checkpoint.
            record.readToEnd();
            requireComplete(record, sent, run.path());
          } else {
            FlinkJob job = submit(flink, connected, run.path(), start);
            if (!follow(job, record, sent.examples(), stop)) {
              output.warn("Stopping; the same command goes on from here.");
              return ExitCode.STOPPED;
            }
          }
          if (record.examples() == 0) {
            throw new IllegalStateException(
                "nothing of file %s could be trained on: %s"
                    .formatted(file.name(), RejectedLines.counts(record.deadLetters())));
          }
          RunReport done =
              RunReport.of(record, (System.nanoTime() - began) / 1e9, PeakMemory.mib());
          report.write(done);
          run.finish();
          done.lines().forEach(output::say);
          output.json(() -> Json.tree(done));
          record.similarLabels().forEach(output::warn);
          output.say("bin/millrace up --data " + run.path() + " opens what it published.");
        }
      }
    }
    return 0;
  }

  /** A file has no pauses: no timeout closes its batches. */
  private static Settings forFiles(Settings settings) {
    return settings.explicit().containsKey(JobSettings.BATCH_TIMEOUT.key())
        ? settings
        : settings.with(JobSettings.BATCH_TIMEOUT, Duration.ZERO);
  }

  private ExampleFile open() {
    try (Progress progress = Progress.ofBytes("Reading", input.toFile().length())) {
      return ExampleFile.open(input, progress::at);
    }
  }

  private Sent send(ExampleFile file, Settings settings) {
    try (Progress progress = Progress.ofBytes("Sending", file.length())) {
      return new ExampleProducer(settings)
          .send(
              file,
              ExampleProducer.Resume.NEVER_TWICE,
              sent -> progress.at(sent.bytes(), "%,d examples".formatted(sent.examples())));
    }
  }

  private static void requireComplete(RunRecord record, Sent sent, Path directory) {
    if (record.examples() + record.letters() < sent.examples() + sent.deadLetters()) {
      throw new IllegalStateException(
          "%s holds %,d of %,d examples trained and no checkpoint to go on from: remove it, and the"
                  .formatted(directory, record.examples(), sent.examples())
              + " run starts anew");
    }
  }

  private static Lineage lineage(Path directory, Settings settings) {
    try {
      return Lineage.read(checkpoints(directory), settings.get(JobSettings.GROUP));
    } catch (IOException e) {
      throw new IllegalStateException(
          "cannot read " + checkpoints(directory) + ": " + e.getMessage(), e);
    }
  }

  private static FlinkJob submit(
      EmbeddedFlink flink, Settings settings, Path directory, Optional<StartingState> start) {
    return FlinkJob.submit(
        "127.0.0.1",
        flink.port(),
        settings,
        checkpoints(directory),
        start,
        AdaptationJob.Input.BOUNDED);
  }

  private static String checkpoints(Path directory) {
    return directory.resolve("checkpoints").toString();
  }

  /** Waits until the job ends; false if a stop was requested before. */
  private static boolean follow(FlinkJob job, RunRecord record, long total, StopSignal stop) {
    try (Progress progress = Progress.start("Training", total, "examples");
        JobWatch watch = new JobWatch(job, progress::say)) {
      while (!job.finished().isDone()) {
        if (stop.requested().isDone()) {
          return false;
        }
        record.poll(Duration.ofMillis(200));
        orResumable(() -> watch.look(record.committed()));
        progress.at(record.examples(), accuracySoFar(record));
      }
      orResumable(job::requireAlive);
      record.readToEnd();
      progress.at(record.examples(), accuracySoFar(record));
      return true;
    }
  }

  /** Adds to a failure that the run can be resumed: what the job has committed stays. */
  private static void orResumable(Runnable check) {
    try {
      check.run();
    } catch (IllegalStateException e) {
      throw new IllegalStateException(e.getMessage() + "; the same command goes on from here", e);
    }
  }

  private static String accuracySoFar(RunRecord record) {
    long right = record.right();
    return record.examples() == 0
        ? ""
        : "accuracy so far %.3f".formatted((double) right / record.examples());
  }
}
