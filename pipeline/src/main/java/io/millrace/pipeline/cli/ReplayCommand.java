package io.millrace.pipeline.cli;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.ExitCode;
import io.millrace.client.process.NotFoundException;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.console.Progress;
import io.millrace.pipeline.replay.Difference;
import io.millrace.pipeline.replay.DomainHistory;
import io.millrace.pipeline.replay.DomainReplay;
import io.millrace.pipeline.replay.GoneException;
import io.millrace.pipeline.replay.MissingExamplesException;
import io.millrace.pipeline.replay.Reach;
import io.millrace.pipeline.replay.RecordedExamples;
import io.millrace.pipeline.replay.ReplayRange;
import io.millrace.pipeline.replay.ReplayResult;
import io.millrace.pipeline.replay.Score;
import io.millrace.pipeline.replay.TrainerSource;
import io.millrace.pipeline.replay.TrainingLog;
import io.millrace.pipeline.replay.WhatIf;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.settings.RecordedSettings;
import io.millrace.schemas.Topics;
import io.millrace.schemas.text.ShownText;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains versions again from the recorded stream. */
@Command(
    name = "replay",
    exitCodeOnExecutionException = ExitCode.NOT_COMPARED,
    description = {
      "Train a version again from the recorded stream, and compare every step and every version on"
          + " the way with the record. Nothing is published.",
      "Exit code 0 where all hashes are the same; 1 where one differs: the first step that does is"
          + " named; 3 where examples, steps or versions that it needs are gone, or were never there; 5"
          + " where it failed before it could tell.",
      "With --set of what training depends on (--set svft.pattern=banded:2) it is a what-if: the same"
          + " batches, trained with other settings, beside what is on record. What is not set is as"
          + " recorded."
    })
final class ReplayCommand implements Callable<Integer> {
  /** So that a user who has them for the job learns why they are not for a replay. */
  private static final Setting<String> DOMAINS =
      Setting.family(
          JobSettings.DOMAINS.key(),
          (key, value) -> {
            throw new UsageException(
                key
                    + ": a replay takes the settings of each domain from the record; to change one,"
                    + " name it as for the whole job");
          },
          "Refused: each version's record has the settings of its domain.");

  private static final List<Setting<?>> SETTINGS =
      Stream.of(
              RecordedSettings.ALL,
              List.of(JobSettings.MODEL_STORE, JobSettings.DEVICE, JobSettings.THREADS, DOMAINS),
              Connection.SETTINGS)
          .<Setting<?>>flatMap(List::stream)
          .toList();

  @Option(names = "--domain", paramLabel = "D", description = "Whose; needed if there are several.")
  private String domain;

  @Option(
      names = "--version",
      paramLabel = "N",
      description = "Which version; the newest if unset.")
  private Long version;

  @Option(
      names = "--all",
      description = "Every version of every domain, or of that which --domain names.")
  private boolean all;

  @Option(
      names = "--from",
      paramLabel = "0|snapshot|N",
      defaultValue = "0",
      description =
          "Where to start: the base model, the nearest snapshot before the version (with --all, the"
              + " oldest), or the snapshot of version N. Default: ${DEFAULT-VALUE}.")
  private String from;

  @Option(
      names = "--examples",
      paramLabel = "TOPIC",
      defaultValue = Topics.LABELED_EXAMPLES,
      description =
          "The topic with the examples: a copy must hold them at the same offsets. Default:"
              + " ${DEFAULT-VALUE}.")
  private String topic;

  @Mixin private final RecordSource source = new RecordSource();

  @Mixin private final ReportOption report = new ReportOption();

  @Mixin private final Output output = new Output();

  @Mixin private final SettingsOptions options = new SettingsOptions(SETTINGS);

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    Settings settings = options.load();
    if (all && version != null) {
      throw new UsageException("--all replays every version: leave --version out");
    }
    ReplayRange.From start = ReplayRange.From.parse(from);
    Map<String, String> changes = RecordedSettings.within(settings);
    report.requireWritable();
    return source.read(
        settings,
        spec.commandLine().getErr(),
        connection -> replay(connection, settings, start, changes));
  }

  private int replay(
      Connection connection,
      Settings settings,
      ReplayRange.From start,
      Map<String, String> changes) {
    TrainingLog log = TrainingLog.read(connection, name -> domain == null || name.equals(domain));
    List<ReplayRange> named;
    try {
      named = ranges(log, start);
    } catch (GoneException e) {
      output.explain(e.getMessage());
      return ExitCode.NOT_FOUND;
    }
    try (RecordedExamples examples = new RecordedExamples(connection, topic);
        TrainerSource trainers =
            new TrainerSource(
                name -> BaseModels.prepare(name, settings),
                (files, factored, kernels) -> {
                  Torch.use(kernels);
                  return BaseModel.load(
                      files, Torch.device(settings.get(JobSettings.DEVICE)), factored, kernels);
                },
                settings.get(JobSettings.THREADS))) {
      List<ReplayRange> ranges = new ArrayList<>();
      for (ReplayRange range : named) {
        ranges.add(reachable(range, start, examples));
      }
      boolean whatIf =
          !changes.isEmpty() && ranges.stream().anyMatch(range -> WhatIf.changes(range, changes));
      return whatIf
          ? whatIf(log, ranges, changes, examples, trainers)
          : compare(log, ranges, examples, trainers);
    } catch (MissingExamplesException e) {
      e.missing().lines().forEach(line -> output.explain("missing: " + line));
      return ExitCode.NOT_FOUND;
    }
  }

  /** With {@code --all --from snapshot}, from the oldest snapshot that what is there reaches. */
  private ReplayRange reachable(
      ReplayRange range, ReplayRange.From start, RecordedExamples examples) {
    return all && start instanceof ReplayRange.From.NearestSnapshot
        ? Reach.of(range, examples).fromEarliest().orElse(range)
        : range;
  }

  /** Whether all that a range needs is there; says what is gone, and what can be done. */
  private boolean isComplete(ReplayRange range, RecordedExamples examples) {
    Reach reach = Reach.of(range, examples);
    if (reach.isComplete()) {
      return true;
    }
    output.explain(shown(range) + ": " + reach.answer());
    reach.missing().lines().forEach(line -> output.explain("  missing: " + line));
    return false;
  }

  private List<ReplayRange> ranges(TrainingLog log, ReplayRange.From start) {
    List<DomainHistory> histories =
        log.domains().values().stream().filter(history -> history.hasVersions()).toList();
    if (histories.isEmpty() && log.domains().values().stream().anyMatch(DomainHistory::isPruned)) {
      throw new GoneException(
          "every version of %s was pruned: there is nothing left to compare with"
              .formatted(domain == null ? "every domain" : ShownText.of(domain)));
    }
    if (histories.isEmpty()) {
      throw new NotFoundException(
          domain == null
              ? "no adapters are published"
              : "no adapters of the domain \"" + ShownText.of(domain) + "\"");
    }
    if (!all && histories.size() > 1) {
      List<String> names = histories.stream().map(each -> ShownText.of(each.domain())).toList();
      throw new UsageException(
          "--domain or --all is needed: there are " + AdapterSource.sample(names));
    }
    return histories.stream()
        .map(history -> ReplayRange.of(history, start, Optional.ofNullable(version), all))
        .toList();
  }

  private int compare(
      TrainingLog log,
      List<ReplayRange> ranges,
      RecordedExamples examples,
      TrainerSource trainers) {
    List<ReplayResult> results = new ArrayList<>();
    boolean complete = true;
    for (ReplayRange range : ranges) {
      if (!isComplete(range, examples)) {
        complete = false;
        if (Reach.of(range, examples).missing().count() > 0) {
          results.add(DomainReplay.run(log, range, examples, trainers, trained -> {}));
        }
        continue;
      }
      ReplayResult result;
      try (Progress progress = progress(range)) {
        result = DomainReplay.run(log, range, examples, trainers, progress::at);
      }
      results.add(result);
      sayResult(result, range);
    }
    report.write(results);
    output.json(() -> Json.tree(results));
    if (results.size() > 1) {
      saySum(results);
    }
    if (results.stream().anyMatch(result -> !result.differences().isEmpty())) {
      return ExitCode.MISMATCH;
    }
    return complete && results.stream().allMatch(ReplayResult::same)
        ? ExitCode.DONE
        : ExitCode.NOT_FOUND;
  }

  private static Progress progress(ReplayRange range) {
    return Progress.start("Replaying " + shown(range), range.examples(), "examples");
  }

  private void sayResult(ReplayResult result, ReplayRange range) {
    String name = shown(range);
    result.differences().forEach(difference -> sayDifference(name, difference));
    if (result.same()) {
      output.say(
          "%s: %s, %,d steps, %,d examples from version %d on: the same, bit for bit"
              .formatted(
                  name,
                  result.versions() == 1 ? "1 version" : result.versions() + " versions",
                  result.steps(),
                  result.examples(),
                  result.fromVersion()));
      output.say(
          "  version %d  sha256 %s  %.1f examples/s"
              .formatted(result.version(), result.sha256(), result.examplesPerSecond()));
    }
  }

  private void sayDifference(String name, Difference difference) {
    output.say(
        "%s: step %d%s: %s"
            .formatted(
                name,
                difference.step(),
                difference.version() == 0 ? "" : " (version " + difference.version() + ")",
                ShownText.of(difference.what())));
    output.say("  recorded  " + difference.recorded());
    output.say("  replayed  " + (difference.replayed().isEmpty() ? "-" : difference.replayed()));
    difference.details().forEach(line -> output.say("  " + ShownText.of(line)));
  }

  private void saySum(List<ReplayResult> results) {
    long same = results.stream().filter(ReplayResult::same).count();
    output.say(
        "%,d of %,d domains are the same; %,d versions, %,d steps, %,d examples replayed"
            .formatted(
                same,
                results.size(),
                results.stream().mapToLong(ReplayResult::versions).sum(),
                results.stream().mapToLong(ReplayResult::steps).sum(),
                results.stream().mapToLong(ReplayResult::examples).sum()));
  }

  private int whatIf(
      TrainingLog log,
      List<ReplayRange> ranges,
      Map<String, String> changes,
      RecordedExamples examples,
      TrainerSource trainers) {
    List<WhatIf.Result> results = new ArrayList<>();
    boolean complete = true;
    for (ReplayRange range : ranges) {
      if (!isComplete(range, examples)) {
        complete = false;
        continue;
      }
      WhatIf.Result result;
      try (Progress progress = progress(range)) {
        result = WhatIf.run(log, range, changes, examples, trainers, progress::at);
      }
      results.add(result);
      sayWhatIf(result, range);
    }
    report.write(results);
    output.json(() -> Json.tree(results));
    return complete ? ExitCode.DONE : ExitCode.NOT_FOUND;
  }

  private void sayWhatIf(WhatIf.Result result, ReplayRange range) {
    output.say(
        "%s: what if, over the same %,d batches; nothing is published"
            .formatted(shown(range), range.steps().size()));
    result
        .settings()
        .forEach(
            (key, value) ->
                output.say(
                    "  %s=%s (recorded: %s)".formatted(key, value, result.instead().get(key))));
    Score recorded = result.recorded();
    Score other = result.replayed();
    output.say("                     recorded   what if");
    output.say(row("accuracy", recorded.accuracy(), other.accuracy()));
    for (int i = 0; i < recorded.thirds().size(); i++) {
      output.say(row("  third " + (i + 1), recorded.thirds().get(i), other.thirds().get(i)));
    }
    output.say(row("mean loss", recorded.meanLoss(), other.meanLoss()));
    output.say(
        "  %-17s %9s %,9d"
            .formatted(
                "trained values",
                "%,d".formatted(range.trainableParameters()),
                result.trainableParameters()));
    output.say(
        result.firstDifferentStep() == 0
            ? "  every step has the state on record"
            : "  the first step with another state is " + result.firstDifferentStep());
  }

  private static String row(String name, double recorded, double other) {
    return "  %-17s %9.4f %9.4f".formatted(name, recorded, other);
  }

  private static String shown(ReplayRange range) {
    return ShownText.of(range.history().domain());
  }
}
