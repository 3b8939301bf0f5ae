package io.millrace.pipeline.replay;

import io.millrace.operators.adapt.BatchIdentity;
import io.millrace.operators.adapt.DomainTrainer;
import io.millrace.operators.adapt.InitFrom;
import io.millrace.pipeline.settings.RecordedSettings;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.TrainingRun;
import io.millrace.schemas.TrainingSnapshot;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.signing.PayloadHash;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.training.NonFiniteStepException;
import io.millrace.svft.training.TrainingEnvironment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Trains a domain's versions again from its record, through the code that the job trains with, and
 * compares every step's state and every version's payload with what is recorded.
 */
public final class DomainReplay {
  /** Receives the progress after every step. */
  public interface Listener {
    /**
     * @param examples trained on so far
     */
    void trained(long examples);
  }

  private final TrainingLog log;
  private final DomainHistory history;
  private final RecordedExamples examples;
  private final TrainerSource trainers;
  private final List<Difference> differences = new ArrayList<>();
  private final StepRate rate = new StepRate();
  private DomainState state;
  private int versions;

  private DomainReplay(
      TrainingLog log, DomainHistory history, RecordedExamples examples, TrainerSource trainers) {
    this.log = log;
    this.history = history;
    this.examples = examples;
    this.trainers = trainers;
  }

  /**
   * Trains from a version to a later one.
   *
   * @param range which versions
   * @throws MissingExamplesException where examples go away meanwhile
   */
  public static ReplayResult run(
      TrainingLog log,
      ReplayRange range,
      RecordedExamples examples,
      TrainerSource trainers,
      Listener listener) {
    MissingExamples missing = examples.missing(range.steps());
    DomainReplay replay = new DomainReplay(log, range.history(), examples, trainers);
    if (missing.count() == 0) {
      replay.run(range, listener);
    }
    AdapterVersion last = range.last().record();
    return new ReplayResult(
        range.history().domain(),
        range.from(),
        last.getVersion(),
        last.getSha256(),
        replay.versions,
        replay.rate.steps(),
        replay.rate.examples(),
        replay.rate.perSecond(),
        List.copyOf(replay.differences),
        missing);
  }

  private void run(ReplayRange range, Listener listener) {
    range.versions().forEach(this::checkPayload);
    if (!modelFits(range) || !start(range)) {
      return;
    }
    Map<Long, DomainHistory.Version> publishedAt = new TreeMap<>();
    range.versions().forEach(version -> publishedAt.put(version.record().getSteps(), version));
    for (TrainingStep recorded : range.steps()) {
      if (!step(recorded)) {
        return;
      }
      rate.step(recorded.getCorrect().size());
      listener.trained(rate.examples());
      DomainHistory.Version version = publishedAt.get(recorded.getStep());
      if (version != null) {
        publish(version);
      }
    }
  }

  /** A payload that was changed after it was published is not what its id names. */
  private void checkPayload(DomainHistory.Version version) {
    AdapterVersion record = version.record();
    PayloadHash payload = version.payload();
    if (!payload.matches()) {
      differences.add(
          new Difference(
              record.getDomain(),
              record.getSteps(),
              record.getVersion(),
              "the stored payload is not what was published",
              payload.id(),
              payload.actual(),
              List.of("the recorded SHA-256 is the version's id, the other that of the payload")));
    }
  }

  /** Nothing can be the same on another base model, basis or tokenizer. */
  private boolean modelFits(ReplayRange range) {
    for (DomainHistory.Version version : range.versions()) {
      AdapterVersion record = version.record();
      ModelFiles model = trainers.model(record.getBaseModel());
      Map<String, List<String>> hashes = new TreeMap<>();
      hashes.put("base model", List.of(record.getBaseSha256(), model.baseSha256()));
      hashes.put("singular basis", List.of(record.getBasisSha256(), model.basisSha256()));
      version
          .manifest()
          .ifPresent(
              manifest ->
                  hashes.put(
                      "tokenizer", List.of(manifest.getTokenizerSha256(), model.textsSha256())));
      for (Map.Entry<String, List<String>> each : hashes.entrySet()) {
        String recorded = each.getValue().get(0);
        String here = each.getValue().get(1);
        if (!recorded.equals(here)) {
          differences.add(
              new Difference(
                  record.getDomain(),
                  record.getManifest() == null
                      ? record.getSteps()
                      : record.getManifest().getFirstStep(),
                  record.getVersion(),
                  "the %s of %s is another one here".formatted(each.getKey(), model.name()),
                  recorded,
                  here,
                  List.of()));
          return false;
        }
      }
    }
    return true;
  }

  private boolean start(ReplayRange range) {
    if (range.snapshot().isEmpty()) {
      return history.startedFrom().isEmpty() ? startBySettings() : startFromAbove();
    }
    TrainingSnapshot snapshot = log.snapshot(range.snapshot().get());
    state = snapshot.getState();
    // A state holds its own method, so any trainer can hash it.
    String found = trainer(snapshot.getStep() + 1).sha256(state);
    String recorded =
        history.firstStep() <= snapshot.getStep()
            ? history.step(snapshot.getStep()).getStateSha256()
            : snapshot.getStateSha256();
    if (!found.equals(recorded)) {
      differences.add(
          new Difference(
              history.domain(),
              snapshot.getStep(),
              snapshot.getVersion(),
              "the snapshot is not the state on record",
              recorded,
              found,
              List.of()));
      return false;
    }
    return true;
  }

  /** From the base model, or from the adapter of PEFT that the first step's settings name. */
  private boolean startBySettings() {
    InitFrom from = RecordedSettings.initFrom(history.run(1).getSettings());
    DomainTrainer trainer = trainer(1);
    if (from.kind() != InitFrom.Kind.PEFT) {
      state = trainer.initialState();
      return true;
    }
    try {
      state = trainer.initialState(trainer.peft(from));
      return true;
    } catch (AdapterException e) {
      return isNotWhatItWas(
          "the adapter of PEFT in %s".formatted(from.directory()), from.sha256(), e);
    }
  }

  private boolean startFromAbove() {
    AdapterVersion from = log.start(history);
    try {
      state = trainer(1).initialState(from);
      return true;
    } catch (AdapterException e) {
      return isNotWhatItWas(
          "version %d of %s".formatted(from.getVersion(), from.getDomain()), from.getSha256(), e);
    }
  }

  /** Notes that the domain cannot start from what it started from. */
  private boolean isNotWhatItWas(String start, String sha256, AdapterException why) {
    differences.add(
        new Difference(
            history.domain(),
            1,
            history.versionOf(1),
            start + ", which it started from, is not what it was",
            sha256,
            "",
            List.of(why.getMessage())));
    return false;
  }

  private DomainTrainer trainer(long step) {
    Map<String, String> settings = history.run(step).getSettings();
    return trainers.trainer(history.baseModel(), settings);
  }

  /** Whether the step came out as it is recorded. */
  private boolean step(TrainingStep recorded) {
    DomainTrainer trainer = trainer(recorded.getStep());
    List<ReceivedExample> batch;
    try {
      batch = examples.read(recorded.getBatch());
    } catch (UnreadableExampleException e) {
      differ(recorded, "an example does not read any more", "", List.of(e.getMessage()));
      return false;
    }
    boolean altered =
        !recorded.getBatchSha256().isEmpty()
            && !recorded.getBatchSha256().equals(BatchIdentity.sha256(batch));
    String examplesNow =
        "examples: %s: %s"
            .formatted(
                places(recorded.getBatch()),
                altered ? "NOT those that were trained on" : "as trained on");
    TrainingStep replayed;
    try {
      replayed = trainer.step(history.domain(), state, batch, recorded.getClosedBy());
    } catch (NonFiniteStepException e) {
      differ(recorded, "the step fails here: " + e.getMessage(), "", List.of(examplesNow));
      return false;
    }
    if (!altered && replayed.getStateSha256().equals(recorded.getStateSha256())) {
      return true;
    }
    List<String> details = new ArrayList<>(List.of(examplesNow));
    details.addAll(surroundings(recorded.getStep(), trainer));
    differ(
        recorded,
        altered ? "examples were changed" : "the state differs",
        replayed.getStateSha256(),
        details);
    return false;
  }

  private String places(List<OffsetRun> batch) {
    List<String> places = new ArrayList<>();
    for (OffsetRun run : batch) {
      long last = run.getFirstOffset() + run.getCount() - 1;
      places.add(
          "%s-%d offset %d%s"
              .formatted(
                  examples.topic(),
                  run.getPartition(),
                  run.getFirstOffset(),
                  run.getCount() == 1 ? "" : " to " + last));
    }
    return String.join(", ", places);
  }

  /** The differences of environment and settings: to the recorded step, and to the step before. */
  private List<String> surroundings(long step, DomainTrainer trainer) {
    TrainingRun run = history.run(step);
    List<String> lines = new ArrayList<>();
    List<String> environment =
        TrainingEnvironment.differences(run.getEnvironment(), trainer.environment());
    if (environment.isEmpty()) {
      lines.add("environment: nothing of what is recorded differs");
    }
    environment.forEach(each -> lines.add("environment: " + each));
    TrainingEnvironment.advice(run.getEnvironment(), trainer.environment()).ifPresent(lines::add);
    if (step > history.firstStep()) {
      Map<String, String> before = history.run(step - 1).getSettings();
      Map<String, String> now = run.getSettings();
      new TreeMap<>(now)
          .forEach(
              (key, value) -> {
                if (!value.equals(before.get(key))) {
                  lines.add(
                      "settings: %s is %s in the manifest, %s at the step before"
                          .formatted(key, value, before.getOrDefault(key, "(none)")));
                }
              });
    }
    return lines;
  }

  private void differ(TrainingStep step, String what, String replayed, List<String> details) {
    differences.add(
        new Difference(
            history.domain(),
            step.getStep(),
            history.versionOf(step.getStep()),
            what,
            step.getStateSha256(),
            replayed,
            details));
  }

  private void publish(DomainHistory.Version recorded) {
    if (state.getVersion() != recorded.number() - 1) {
      // Versions between were pruned: their payloads cannot be compared, but this one names its
      // parent.
      state.setVersion(recorded.number() - 1);
      state.setVersionSha256(recorded.record().getParentSha256());
    }
    AdapterVersion replayed =
        trainer(recorded.record().getSteps()).publish(history.domain(), state);
    versions++;
    if (!replayed.getSha256().equals(recorded.record().getSha256())) {
      differences.add(
          new Difference(
              history.domain(),
              recorded.record().getSteps(),
              recorded.number(),
              "the version differs, though its state is the same",
              recorded.record().getSha256(),
              replayed.getSha256(),
              List.of()));
    }
  }
}
