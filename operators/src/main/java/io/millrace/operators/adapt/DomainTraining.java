package io.millrace.operators.adapt;

import io.millrace.operators.evidence.Evidence;
import io.millrace.operators.gate.SimilarLabels;
import io.millrace.operators.metrics.DeadLetterMetrics;
import io.millrace.operators.output.OutgoingRecords;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.DomainSetAside;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.EvidenceInput;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RecordError;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.text.ShownText;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.streaming.api.operators.KeyContext;
import org.apache.flink.streaming.api.operators.TimestampedCollector;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The domains' training states, and the rules around their steps: which examples are trained on,
 * what leaves, when a version is published, when a domain is set aside.
 *
 * <p>Methods without a list of batches apply to the domain that is Flink's current key. For the
 * task's thread.
 */
final class DomainTraining {
  private static final Logger LOG = LoggerFactory.getLogger(DomainTraining.class);

  /** With more labels, comparing them with each new one would take long. */
  private static final int MOST_COMPARED_LABELS = 1000;

  /**
   * Bytes of the states that are in memory at once, unless one alone has more; a step needs some
   * three times as much.
   */
  private static final long MOST_STATE_BYTES = 32L << 20;

  /** A closed batch that was taken out of state. */
  record Batch(String domain, List<ReceivedExample> examples, BatchClosedBy closedBy) {}

  /**
   * A step to take.
   *
   * @param labels that the domain has before it
   */
  private record Step(DomainBatch batch, int labels) {}

  private final RuntimeContext context;
  private final KeyContext keys;
  private final TimestampedCollector<OutgoingRecord> out;
  private final DomainTrainers trainers;
  private final DomainStart start;
  private final DomainPublisher publisher;
  private final DomainMetrics metrics;
  private final DeadLetterMetrics deadLetters;
  private final ProgressReports progress;
  private final LabelLimit labelLimit;
  private final long versionBytes;
  private final HeldStates states;
  private final ValueState<DomainSetAside> setAside;

  /**
   * @param keys sets Flink's current key
   */
  DomainTraining(
      RuntimeContext context,
      KeyContext keys,
      TimestampedCollector<OutgoingRecord> out,
      DomainTrainers trainers,
      DomainStart start,
      DomainPublisher publisher,
      DomainMetrics metrics,
      DeadLetterMetrics deadLetters,
      ProgressReports progress,
      AdaptSettings.Limits limits) {
    this.context = context;
    this.keys = keys;
    this.out = out;
    this.trainers = trainers;
    this.start = start;
    this.publisher = publisher;
    this.metrics = metrics;
    this.deadLetters = deadLetters;
    this.progress = progress;
    this.labelLimit = new LabelLimit(limits.labels());
    this.versionBytes = limits.versionBytes();
    states = new HeldStates(context, keys);
    setAside =
        context.getState(
            new ValueStateDescriptor<>("set-aside", new AvroTypeInfo<>(DomainSetAside.class)));
  }

  /**
   * Trains on batches of several domains together. Changes the current key.
   *
   * @param group at most one of each domain
   */
  void train(List<Batch> group) throws Exception {
    List<Step> steps = new ArrayList<>();
    long bytes = 0;
    for (Batch batch : group) {
      keys.setCurrentKey(batch.domain());
      Optional<Step> step = step(batch);
      if (step.isPresent()) {
        // A large state is changed in memory and not written: where a pass fails, none may share
        // it.
        if (HeldStates.isLarge(step.get().batch().state())) {
          takeAlone(trainers.of(batch.domain()), step.get());
          continue;
        }
        steps.add(step.get());
        bytes += DomainStates.bytes(step.get().batch().state());
      }
      if (bytes >= MOST_STATE_BYTES) {
        take(steps);
        steps.clear();
        bytes = 0;
      }
    }
    if (!steps.isEmpty()) {
      take(steps);
    }
  }

  /** What is to be trained on of a batch of the current domain; empty where nothing is. */
  private Optional<Step> step(Batch batch) throws Exception {
    if (isSetAside()) {
      refuse(batch.examples());
      return Optional.empty();
    }
    DomainState state = state(batch.domain());
    List<ReceivedExample> trained =
        labelLimit.within(state.getLabels(), batch.examples(), this::refuse);
    return trained.isEmpty()
        ? Optional.empty()
        : Optional.of(step(batch.domain(), state, trained, batch.closedBy()));
  }

  private static Step step(
      String domain, DomainState state, List<ReceivedExample> examples, BatchClosedBy closedBy) {
    return new Step(new DomainBatch(domain, state, examples, closedBy), state.getLabels().size());
  }

  private DomainState state(String domain) throws Exception {
    DomainState state = states.of(domain);
    return state == null ? start.of(domain) : state;
  }

  /** Takes the steps of domains that train alike in one pass. */
  private void take(List<Step> steps) throws Exception {
    Map<DomainTrainer, List<Step>> alike = new LinkedHashMap<>();
    for (Step step : steps) {
      alike
          .computeIfAbsent(trainers.of(step.batch().domain()), trainer -> new ArrayList<>())
          .add(step);
    }
    for (Map.Entry<DomainTrainer, List<Step>> each : alike.entrySet()) {
      take(each.getKey(), each.getValue());
    }
  }

  private void take(DomainTrainer trainer, List<Step> steps) throws Exception {
    if (steps.size() == 1) {
      takeAlone(trainer, steps.get(0));
      return;
    }
    List<StepOutcome> outcomes;
    try {
      outcomes = trainer.steps(steps.stream().map(Step::batch).toList());
    } catch (PermanentFailureException e) {
      throw e;
    } catch (RuntimeException | OutOfMemoryError e) {
      // What was too large for the memory together may fit alone; after a restart the same batches
      // would be together again.
      if (Thread.currentThread().isInterrupted()) {
        throw e;
      }
      LOG.warn("A step of {} domains failed; each takes its own", steps.size(), e);
      takeOneByOne(trainer, steps);
      return;
    }
    metrics.group();
    for (int i = 0; i < steps.size(); i++) {
      keys.setCurrentKey(steps.get(i).batch().domain());
      ended(steps.get(i), outcomes.get(i));
    }
  }

  /** So that only the domain whose batch cannot be trained on is named, and suffers. */
  private void takeOneByOne(DomainTrainer trainer, List<Step> steps) throws Exception {
    for (Step step : steps) {
      DomainBatch batch = step.batch();
      keys.setCurrentKey(batch.domain());
      // The failure may have changed the state in memory.
      takeAlone(
          trainer, step(batch.domain(), state(batch.domain()), batch.examples(), batch.closedBy()));
    }
  }

  private void takeAlone(DomainTrainer trainer, Step step) throws Exception {
    DomainBatch batch = step.batch();
    long number = batch.state().getSteps() + 1;
    StepOutcome outcome;
    try {
      outcome = trainer.steps(List.of(batch)).get(0);
    } catch (RuntimeException e) {
      JobID job = context.getJobInfo().getJobId();
      throw RepeatedFailures.note(job, batch.domain(), number, batch.examples(), e);
    }
    metrics.group();
    keys.setCurrentKey(batch.domain());
    ended(step, outcome);
  }

  private void ended(Step step, StepOutcome outcome) throws Exception {
    DomainBatch batch = step.batch();
    if (outcome instanceof StepOutcome.NotFinite notFinite) {
      RecordError error = new RecordError("NonFiniteStep", notFinite.failure().getMessage());
      batch.examples().forEach(example -> refuse(example, error));
    } else if (outcome instanceof StepOutcome.Taken taken) {
      ended(step, taken.step());
    }
  }

  private void ended(Step step, TrainingStep record) throws Exception {
    String domain = step.batch().domain();
    DomainState state = step.batch().state();
    warnOfSimilar(domain, step.labels(), state.getLabels());
    out.collect(OutgoingRecords.step(record));
    emit(Evidence.input(record));
    metrics.step(domain, record.getCorrect(), record.getLoss(), record.getStepMillis());
    if (publisher.isDue(domain, state)) {
      publish(domain, state, record.getStateSha256());
    }
    states.put(domain, state);
    progress.report(domain, step.batch().examples(), record, state);
  }

  /** Says once, when the label comes, that another one differs by case or white space only. */
  private static void warnOfSimilar(String domain, int before, List<String> labels) {
    if (labels.size() == before || labels.size() > MOST_COMPARED_LABELS) {
      return;
    }
    Set<String> added = Set.copyOf(labels.subList(before, labels.size()));
    for (List<String> group : SimilarLabels.among(labels)) {
      if (!Collections.disjoint(added, group)) {
        LOG.warn(ShownText.of(SimilarLabels.say(domain, group)));
      }
    }
  }

  /** Whether the domain is; it goes on once a record can hold the version that did not fit. */
  boolean isSetAside() throws IOException {
    DomainSetAside why = setAside.value();
    if (why == null) {
      return false;
    }
    if (why.getBytes() > versionBytes) {
      return true;
    }
    setAside.clear();
    return false;
  }

  /** Makes dead letters of examples of a domain that is set aside. */
  void refuse(List<ReceivedExample> examples) throws IOException {
    RecordError error = new RecordError("DomainSetAside", setAside.value().getReason());
    examples.forEach(example -> refuse(example, error));
    metrics.setAside(examples.size());
  }

  private void refuse(ReceivedExample example, RecordError error) {
    out.collect(OutgoingRecords.deadLetter(example, error));
    deadLetters.add(error);
  }

  /** Publishes the steps that no version holds yet. */
  void publishTheRest(String domain) throws Exception {
    DomainState state = states.of(domain);
    if (state != null && setAside.value() == null && DomainPublisher.unpublishedSteps(state) > 0) {
      publish(domain, state, trainers.of(domain).sha256(state));
      states.put(domain, state);
    }
  }

  /** Writes to keyed state what a checkpoint must hold. Changes the current key. */
  void writeAll() throws Exception {
    states.writeAll();
  }

  private void publish(String domain, DomainState state, String stateSha256) throws IOException {
    Optional<DomainSetAside> why = publisher.publish(domain, state, stateSha256, out);
    if (why.isPresent()) {
      LOG.error("Domain {} is trained no more: {}", ShownText.of(domain), why.get().getReason());
      setAside.update(why.get());
      metrics.setAside();
    } else {
      metrics.version(domain, state.getVersion());
    }
  }

  /**
   * Drops a domain from state, unless it has a version: its rollout names that one, and the next
   * must follow it.
   *
   * @param lastExample Kafka's time of its last example
   * @return whether it is dropped
   */
  boolean forget(String domain, long lastExample) throws Exception {
    DomainState state = states.of(domain);
    if (state != null && state.getVersion() > 0) {
      return false;
    }
    states.clear(domain);
    setAside.clear();
    progress.forget();
    emit(Evidence.forgotten(domain, lastExample));
    metrics.forgotten();
    return true;
  }

  private void emit(EvidenceInput input) {
    out.collect(Evidence.INPUT, new StreamRecord<>(input));
  }
}
