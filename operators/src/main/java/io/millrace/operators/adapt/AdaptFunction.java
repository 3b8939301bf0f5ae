package io.millrace.operators.adapt;

import io.millrace.operators.evidence.Evidence;
import io.millrace.operators.gate.SimilarLabels;
import io.millrace.operators.model.SharedModel;
import io.millrace.operators.output.OutgoingRecords;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.DomainSetAside;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RecordError;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.signing.AdapterSigner;
import io.millrace.schemas.signing.KeyFileException;
import io.millrace.schemas.text.ShownText;
import io.millrace.svft.adapter.PayloadSize;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.EncoderConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Adapts one model per domain: gathers a domain's examples into batches, takes a training step for
 * each batch, and publishes a version every so many steps.
 *
 * <p>The two hard parts are explained where they are solved: {@link PendingBatches} says what
 * closes a batch, and why training is a function of the stream; {@link OutgoingRecords} says why
 * what is published is exactly what state holds.
 */
final class AdaptFunction extends KeyedProcessFunction<String, ReceivedExample, OutgoingRecord> {
  private static final long serialVersionUID = 1;
  private static final Logger LOG = LoggerFactory.getLogger(AdaptFunction.class);

  /** With more labels, comparing them with each new one would take long. */
  private static final int MOST_COMPARED_LABELS = 1000;

  private final AdaptSettings settings;
  private final LabelLimit labelLimit;

  private transient ValueState<DomainState> domainState;
  private transient ValueState<DomainSetAside> setAside;
  private transient PendingBatches batches;
  private transient Optional<DomainRetention> retention;
  private transient SharedModel.Lease model;
  private transient DomainTrainer trainer;
  private transient DomainPublisher publisher;
  private transient DomainMetrics metrics;

  AdaptFunction(AdaptSettings settings) {
    this.settings = settings;
    this.labelLimit = new LabelLimit(settings.limits().labels());
  }

  @Override
  public void open(OpenContext context) throws Exception {
    Optional<AdapterSigner> signer = signer(settings.signingKey());
    domainState =
        getRuntimeContext()
            .getState(
                new ValueStateDescriptor<>("domain-state", new AvroTypeInfo<>(DomainState.class)));
    setAside =
        getRuntimeContext()
            .getState(
                new ValueStateDescriptor<>("set-aside", new AvroTypeInfo<>(DomainSetAside.class)));
    batches =
        new PendingBatches(getRuntimeContext(), settings.batchSize(), settings.batchTimeout());
    Duration kept = settings.limits().retention();
    retention =
        kept.isZero()
            ? Optional.empty()
            : Optional.of(new DomainRetention(getRuntimeContext(), kept));
    model =
        SharedModel.open(
            settings.modelStore(),
            settings.modelName(),
            settings.device().of(getRuntimeContext()),
            settings.training().method().factored());
    requireThatVersionsFit(model.base().config());
    trainer =
        new DomainTrainer(
            model.base(), settings.training(), settings.recorded(), settings.threads());
    publisher = new DomainPublisher(trainer, signer, settings);
    metrics =
        new DomainMetrics(getRuntimeContext().getMetricGroup(), settings.limits().metricsDomains());
  }

  private static Optional<AdapterSigner> signer(String keyFile) {
    if (keyFile.isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(AdapterSigner.read(Path.of(keyFile)));
    } catch (KeyFileException e) {
      throw new IllegalStateException("publish.signingKey: " + e.getMessage());
    }
  }

  /** Otherwise no domain could ever publish. */
  private void requireThatVersionsFit(EncoderConfig config) {
    AdapterMethod method = settings.training().method();
    long bytes = PayloadSize.tensorBytes(config, method, 0);
    if (bytes > settings.limits().versionBytes()) {
      throw new PermanentFailureException(
          "a version of %s with the adapter method %s takes more than %d bytes, a record of the topic adapters holds %d: adapt fewer weights, or choose another method"
              .formatted(
                  settings.modelName(), method.spec(), bytes, settings.limits().versionBytes()));
    }
  }

  @Override
  public void close() {
    if (trainer != null) {
      trainer.close();
    }
    if (model != null) {
      model.close();
    }
  }

  @Override
  public void processElement(
      ReceivedExample received, Context context, Collector<OutgoingRecord> out) throws Exception {
    if (retention.isPresent()) {
      batches.closeBefore(
          received,
          context.timerService(),
          (batch, closedBy) -> train(batch, closedBy, context, out));
      if (retention.get().isOverBefore(received, context.timerService())) {
        forget(context);
      }
    }
    if (isSetAside()) {
      refuse(batches.giveUp(context.timerService()), out);
      refuse(List.of(received), out);
      return;
    }
    batches.add(
        received,
        context.timerService(),
        (batch, closedBy) -> train(batch, closedBy, context, out));
  }

  @Override
  public void onTimer(long timestamp, OnTimerContext context, Collector<OutgoingRecord> out)
      throws Exception {
    batches.onTimer(
        timestamp,
        context.timerService(),
        (batch, closedBy) -> train(batch, closedBy, context, out));
    if (timestamp == PendingBatches.END_OF_INPUT) {
      publishTheRest(context.getCurrentKey(), out);
    } else if (retention.isPresent()
        && retention.get().isOver(timestamp, context.timerService())
        && forget(context)) {
      retention.get().end(context.timerService());
      PendingBatches.forget(context.timerService());
    }
  }

  /**
   * Drops a domain that is over from state, unless it has a version: its rollout names that one,
   * and the next must follow it.
   *
   * @return whether there is nothing more to drop, now or later
   */
  private boolean forget(Context context) throws Exception {
    if (batches.isOpen()) {
      return false;
    }
    DomainState state = domainState.value();
    if (state == null || state.getVersion() == 0) {
      domainState.clear();
      setAside.clear();
      context.output(
          Evidence.INPUT,
          Evidence.forgotten(context.getCurrentKey(), retention.orElseThrow().lastExample()));
      metrics.forgotten();
      return true;
    }
    return false;
  }

  private void train(
      List<ReceivedExample> batch,
      BatchClosedBy closedBy,
      Context context,
      Collector<OutgoingRecord> out)
      throws Exception {
    if (isSetAside()) {
      refuse(batch, out);
      return;
    }
    String domain = context.getCurrentKey();
    DomainState state = domainState.value();
    if (state == null) {
      state = trainer.initialState();
    }
    List<ReceivedExample> trained =
        labelLimit.within(
            state.getLabels(),
            batch,
            (example, error) -> out.collect(OutgoingRecords.deadLetter(example, error)));
    if (trained.isEmpty()) {
      return;
    }
    StepOutcome outcome;
    int labels = state.getLabels().size();
    try {
      outcome = trainer.steps(List.of(new DomainBatch(domain, state, trained, closedBy))).get(0);
    } catch (RuntimeException e) {
      JobID job = getRuntimeContext().getJobInfo().getJobId();
      throw RepeatedFailures.note(job, domain, state.getSteps() + 1, trained, e);
    }
    if (outcome instanceof StepOutcome.NotFinite notFinite) {
      RecordError error = new RecordError("NonFiniteStep", notFinite.failure().getMessage());
      trained.forEach(example -> out.collect(OutgoingRecords.deadLetter(example, error)));
      return;
    }
    TrainingStep step = ((StepOutcome.Taken) outcome).step();
    warnOfSimilar(domain, labels, state.getLabels());
    out.collect(OutgoingRecords.step(step));
    context.output(Evidence.INPUT, Evidence.input(step));
    metrics.step(domain, step.getCorrect(), step.getLoss(), step.getStepMillis());
    if (publisher.isDue(state)) {
      publish(domain, state, out);
    }
    domainState.update(state);
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
  private boolean isSetAside() throws IOException {
    DomainSetAside why = setAside.value();
    if (why == null) {
      return false;
    }
    if (why.getBytes() > settings.limits().versionBytes()) {
      return true;
    }
    setAside.clear();
    return false;
  }

  private void refuse(List<ReceivedExample> examples, Collector<OutgoingRecord> out)
      throws IOException {
    RecordError error = new RecordError("DomainSetAside", setAside.value().getReason());
    examples.forEach(example -> out.collect(OutgoingRecords.deadLetter(example, error)));
    metrics.setAside(examples.size());
  }

  private void publishTheRest(String domain, Collector<OutgoingRecord> out) throws Exception {
    DomainState state = domainState.value();
    if (state != null && setAside.value() == null && DomainPublisher.unpublishedSteps(state) > 0) {
      publish(domain, state, out);
      domainState.update(state);
    }
  }

  private void publish(String domain, DomainState state, Collector<OutgoingRecord> out)
      throws IOException {
    Optional<DomainSetAside> why = publisher.publish(domain, state, out);
    if (why.isPresent()) {
      LOG.error("Domain {} is trained no more: {}", ShownText.of(domain), why.get().getReason());
      setAside.update(why.get());
      metrics.setAside();
    } else {
      metrics.version(domain, state.getVersion());
    }
  }
}
