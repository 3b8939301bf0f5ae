package io.millrace.pipeline.cli;

import io.millrace.client.process.CommandLines;
import io.millrace.client.process.ExitCode;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.compare.ComparedMethod;
import io.millrace.pipeline.compare.ComparisonReport;
import io.millrace.pipeline.compare.MethodProcess;
import io.millrace.pipeline.compare.MethodReport;
import io.millrace.pipeline.compare.TrainMethod;
import io.millrace.pipeline.console.Progress;
import io.millrace.pipeline.console.StopSignal;
import io.millrace.pipeline.input.ExampleFile;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.input.ExampleReader;
import io.millrace.pipeline.input.RejectedLines;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.AdapterMethods;
import io.millrace.svft.method.MethodForm;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.WeightRole;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains several methods on one stream, one after the other, and shows them side by side. */
@Command(name = "compare")
final class CompareCommand implements Callable<Integer> {
  // The default in two lines, as it fits into the help text.
  private static final String FACTORS = "svft:plain,svft:banded:1,lora:8,dora:8,";
  private static final String OTHERS = "vera,boft,full,head";

  private static final long STOP_SIGNAL_SECONDS = 1;

  @Option(
      names = "--input",
      required = true,
      paramLabel = "FILE.jsonl",
      description =
          "The examples, one JSON object a line: see millrace produce --help. Lines that cannot be"
              + " trained on are skipped and counted. - reads the standard input.")
  private Path input;

  @Option(
      names = "--methods",
      paramLabel = "METHOD,...",
      defaultValue = FACTORS + OTHERS,
      description = {"What to compare, joined by commas.", "Default: " + FACTORS, OTHERS})
  private String methods;

  @Mixin private final ReportOption report = new ReportOption();

  @Mixin private final Output output = new Output();

  @Mixin private final SettingsOptions options = new SettingsOptions(TrainMethod.SETTINGS);

  private CommandSpec spec;

  /** Help lists the methods by their forms. */
  @Spec
  void spec(CommandSpec spec) {
    this.spec = spec;
    List<String> lines =
        new ArrayList<>(
            List.of(
                "Compare methods of adaptation on your stream: each is trained on the file from"
                    + " its beginning to its end, by the code of the job but without Kafka and"
                    + " Flink, in a process of its own, one after the other.",
                "Every example is predicted before it is trained on. At the end stand, per"
                    + " method, what was trained, how large an adapter is, accuracy, speed and"
                    + " memory.",
                "",
                "A method is one of"));
    for (MethodForm form : AdapterMethods.forms()) {
      form.help().forEach(line -> lines.add("  " + line));
    }
    lines.add("with options after semicolons, which a shell wants quoted:");
    for (MethodForm form : AdapterMethods.forms()) {
      form.optionHelp().forEach(line -> lines.add("  " + line));
    }
    lines.addAll(weightsHelp());
    lines.addAll(
        List.of(
            "",
            "  millrace compare --input reviews.jsonl --methods 'svft:top-k:1,lora:8;alpha=8'",
            "",
            "Learning rates are the defaults of each method, unless training.learningRate",
            "is set for all of them.",
            ""));
    spec.usageMessage().description(lines.toArray(String[]::new));
  }

  /** What {@code weights} is for, and what it is where it is left out. */
  private static List<String> weightsHelp() {
    List<String> without = new ArrayList<>();
    List<String> fewer = new ArrayList<>();
    for (MethodForm form : AdapterMethods.forms()) {
      Set<WeightRole> own = AdapterMethod.parse(form.id()).weights();
      if (!form.takesWeights()) {
        without.add(form.id());
      } else if (!own.equals(WeightRole.all())) {
        fewer.add("of " + form.id() + " " + ids(own.stream()));
      }
    }
    return List.of(
        "  ;weights=ROLE+ROLE   all but " + String.join(", ", without) + ": which weights of",
        "                       " + ids(Stream.of(WeightRole.values()).limit(4)) + ",",
        "                       "
            + ids(Stream.of(WeightRole.values()).skip(4))
            + ". Unless told all six;",
        "                       " + String.join("; ", fewer) + ";",
        "                       of svft:top-k the first four");
  }

  private static String ids(Stream<WeightRole> roles) {
    return roles.map(WeightRole::id).collect(Collectors.joining(", "));
  }

  /** The content of the file, checked before training. */
  private record Content(ExampleFile file, long examples, SortedMap<String, Long> skipped) {
    long skippedLines() {
      return skipped.values().stream().mapToLong(Long::longValue).sum();
    }
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    Settings settings = options.load();
    List<ComparedMethod> compared = ComparedMethod.list(methods);
    ExampleLimits limits = ExampleLimits.of(settings);
    requireLocalStore(settings);
    report.requireWritable();
    Content content = read(limits);
    ModelFiles model = BaseModels.prepare(settings);
    for (ComparedMethod each : compared) {
      each.method().warning(model).ifPresent(warning -> output.warn(each.text() + ": " + warning));
    }
    Path directory = Files.createTempDirectory("millrace-compare");
    List<MethodReport> done = new ArrayList<>();
    List<ComparisonReport.Failure> failed = new ArrayList<>();
    // Once the signal is closed, a process that was asked to end may print nothing more.
    try (StopSignal stop = StopSignal.install()) {
      boolean complete;
      try {
        Path config = write(settings, directory.resolve("settings.properties"));
        complete = trainEach(compared, content, config, done, failed, stop);
      } finally {
        deleteRecursively(directory);
      }
      ComparisonReport comparison =
          new ComparisonReport(
              content.file().shortName(),
              content.file().sha256(),
              content.examples(),
              content.skippedLines(),
              content.skipped(),
              settings.get(JobSettings.BATCH_SIZE),
              settings.get(JobSettings.THREADS),
              model.name(),
              done,
              failed);
      if (complete) {
        report.write(comparison);
        output.json(() -> Json.tree(comparison));
      }
      if (!done.isEmpty() || !failed.isEmpty()) {
        output.say("");
        comparison.lines().forEach(output::say);
      }
      if (!complete) {
        output.warn("Stopped.");
        return ExitCode.STOPPED;
      }
    }
    return failed.isEmpty() ? ExitCode.DONE : ExitCode.FAILED;
  }

  private static void requireLocalStore(Settings settings) {
    String store = JobSettings.modelStore(settings);
    if (store.contains("://")) {
      throw new UsageException(
          "%s: compare reads a directory on this machine, not %s"
              .formatted(JobSettings.MODEL_STORE.key(), store));
    }
  }

  private Content read(ExampleLimits limits) {
    ExampleFile file;
    try (Progress progress = Progress.ofBytes("Reading", input.toFile().length())) {
      file = ExampleFile.open(input, progress::at);
    }
    try (Progress progress = Progress.ofBytes("Checking", file.length());
        ExampleReader reader = new ExampleReader(file, limits)) {
      while (reader.next().isPresent()) {
        progress.at(reader.position());
      }
      Content content = new Content(file, reader.examples(), new TreeMap<>(reader.skipped()));
      if (content.examples() == 0) {
        throw new UsageException(RejectedLines.nothingIn(file.name(), content.skipped()));
      }
      String skipped = RejectedLines.counts(content.skipped());
      if (!skipped.isEmpty()) {
        output.warn(
            "%,d lines cannot be trained on and are skipped: %s"
                .formatted(content.skippedLines(), skipped));
      }
      return content;
    }
  }

  /** The child processes read the settings from a file: every user can see a command line. */
  private static Path write(Settings settings, Path file) throws IOException {
    Properties properties = new Properties();
    properties.putAll(settings.explicit());
    try (OutputStream out = Files.newOutputStream(file)) {
      properties.store(out, null);
    }
    return file;
  }

  /** One after the other; false if a stop was requested before the last one ended. */
  private boolean trainEach(
      List<ComparedMethod> compared,
      Content content,
      Path config,
      List<MethodReport> done,
      List<ComparisonReport.Failure> failed,
      StopSignal stop)
      throws InterruptedException {
    for (ComparedMethod method : compared) {
      Path directory = config.resolveSibling(String.valueOf(done.size() + failed.size()));
      if (stop.requested().isDone()) {
        return false;
      }
      try (MethodProcess process = MethodProcess.start(method, content.file(), config, directory)) {
        stop.requested().thenRun(process::stop);
        try {
          MethodReport result = follow(process, method, content.examples());
          done.add(result);
          output.progress(summary(result));
        } catch (IllegalStateException e) {
          if (stops(stop, process)) {
            return false;
          }
          failed.add(
              new ComparisonReport.Failure(method.text(), method.method().spec(), e.getMessage()));
          complain(
              "%s failed: %s (details in %s)"
                  .formatted(
                      method.text(), e.getMessage(), System.getProperty(CommandLines.LOG_FILE)));
        }
      }
    }
    return true;
  }

  private static MethodReport follow(MethodProcess process, ComparedMethod method, long total)
      throws InterruptedException {
    try (Progress progress = Progress.start(method.text(), total, "examples")) {
      progress.at(0);
      return process.await(
          (examples, right) ->
              progress.at(examples, "accuracy so far %.3f".formatted((double) right / examples)));
    }
  }

  /** A signal to the whole process group may reach the child first. */
  private static boolean stops(StopSignal stop, MethodProcess process) throws InterruptedException {
    try {
      if (process.terminated()) {
        stop.requested().get(STOP_SIGNAL_SECONDS, TimeUnit.SECONDS);
      }
    } catch (TimeoutException | ExecutionException e) {
      // Only the child was signalled.
    }
    return stop.requested().isDone();
  }

  private static String summary(MethodReport done) {
    return String.format(
        Locale.ROOT,
        "%s: accuracy %.4f, %,.1f examples a second, %.0f s",
        done.method(),
        done.prequentialAccuracy(),
        done.examplesPerSecond(),
        done.wallSeconds());
  }

  private static void deleteRecursively(Path directory) throws IOException {
    try (Stream<Path> tree = Files.walk(directory)) {
      for (Path each : tree.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
  }

  private void complain(String line) {
    PrintWriter err = spec.commandLine().getErr();
    err.println("millrace: " + line);
    err.flush();
  }
}
