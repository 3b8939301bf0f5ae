package io.millrace.operators.adapt;

import io.millrace.operators.evidence.Evidence;
import io.millrace.operators.model.SharedModel;
import io.millrace.operators.model.TaskDevice;
import io.millrace.operators.output.OutgoingRecords;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.PendingBatch;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RecordError;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.signing.AdapterSigner;
import io.millrace.schemas.signing.KeyFileException;
import io.millrace.svft.training.NonFiniteStepException;
import io.millrace.svft.training.Trainer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Adapts one model per domain: gathers a domain's examples into batches, takes a training step for
 * each, and publishes a version every so many steps.
 *
 * <p><b>What decides a batch.</b> Training must be a function of the stream, so what closes a batch
 * must not be a race. A batch closes
 *
 * <ol>
 *   <li>when it is full;
 *   <li>when its partition's own time has moved on: a later record of the same partition carries a
 *       Kafka timestamp more than {@code batchTimeout} after the batch's first. Whether a timer or
 *       the domain's next example notices this first makes no difference: the batch holds the same
 *       examples;
 *   <li>when the stream has paused: this subtask has received nothing at all for {@code
 *       batchTimeout} in which it could have, see {@link StreamPause}. Only here does a clock
 *       decide; the step's record says so;
 *   <li>when the input ends.
 * </ol>
 *
 * <p><b>What is published is what state holds.</b> Steps and versions leave for the sink as they
 * come about, and commit with the checkpoint that holds the state they came from.
 */
public final class AdaptFunction
    extends KeyedProcessFunction<String, ReceivedExample, OutgoingRecord> {
  private static final long serialVersionUID = 1;

  /** A record holds 64 MiB, and more than numbers stands in it. */
  private static final long LARGEST_SNAPSHOT_BYTES = 60L * 1024 * 1024;

  private static final Logger LOG = LoggerFactory.getLogger(AdaptFunction.class);

  /** Timers at the end of time fire when a bounded input, or a drained job, ends. */
  private static final long END_OF_INPUT = Long.MAX_VALUE;

  private final AdaptSettings settings;

  private transient ValueState<DomainState> domainState;
  private transient ValueState<PendingBatch> pendingBatch;
  private transient ListState<ReceivedExample> pendingExamples;
  private transient SharedModel.Lease model;
  private transient DomainTrainer trainer;
  private transient AdapterSigner signer;
  private transient DomainMetrics metrics;
  private transient Map<Integer, Long> streamTime;
  private transient StreamPause pause;

  public AdaptFunction(AdaptSettings settings) {
    this.settings = settings;
  }

  @Override
  public void open(OpenContext context) throws Exception {
    if (!settings.signingKey().isEmpty()) {
      try {
        signer = AdapterSigner.read(Path.of(settings.signingKey()));
      } catch (KeyFileException e) {
        throw new IllegalStateException("publish.signingKey: " + e.getMessage());
      }
    }
    domainState =
        getRuntimeContext()
            .getState(
                new ValueStateDescriptor<>("domain-state", new AvroTypeInfo<>(DomainState.class)));
    pendingBatch =
        getRuntimeContext()
            .getState(
                new ValueStateDescriptor<>(
                    "pending-batch", new AvroTypeInfo<>(PendingBatch.class)));
    pendingExamples =
        getRuntimeContext()
            .getListState(
                new ListStateDescriptor<>(
                    "pending-examples", new AvroTypeInfo<>(ReceivedExample.class)));
    model =
        SharedModel.open(
            settings.modelStore(),
            settings.modelName(),
            TaskDevice.of(getRuntimeContext(), settings.device()),
            Trainer.factored(settings.training().method()));
    trainer =
        new DomainTrainer(
            model.base(), settings.training(), settings.recorded(), settings.threads());
    metrics = new DomainMetrics(getRuntimeContext().getMetricGroup());
    streamTime = new HashMap<>();
    pause = new StreamPause(getRuntimeContext());
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
    streamTime.merge(received.getPartition(), received.getTimestamp(), Math::max);
    PendingBatch pending = pendingBatch.value();
    if (pending != null && streamTimePassed(pending)) {
      close(pending, BatchClosedBy.TIMEOUT, context, out);
      pending = null;
    }
    if (pending == null) {
      pending = start(received, context);
    }
    pending.setCount(pending.getCount() + 1);
    pendingExamples.add(received);
    if (pending.getCount() >= settings.batchSize()) {
      close(pending, BatchClosedBy.COUNT, context, out);
    } else {
      pendingBatch.update(pending);
    }
    pause.restart(context.timerService().currentProcessingTime());
  }

  private PendingBatch start(ReceivedExample first, Context context) {
    context.timerService().registerEventTimeTimer(END_OF_INPUT);
    PendingBatch pending = new PendingBatch(0, first.getPartition(), first.getTimestamp(), null);
    watch(pending, context);
    return pending;
  }

  private void watch(PendingBatch pending, Context context) {
    if (!settings.batchTimeout().isZero()) {
      long at = context.timerService().currentProcessingTime() + settings.batchTimeout().toMillis();
      pending.setTimer(at);
      context.timerService().registerProcessingTimeTimer(at);
    }
  }

  private boolean streamTimePassed(PendingBatch pending) {
    return !settings.batchTimeout().isZero()
        && streamTime.getOrDefault(pending.getPartition(), Long.MIN_VALUE)
            > pending.getFirstTimestamp() + settings.batchTimeout().toMillis();
  }

  @Override
  public void onTimer(long timestamp, OnTimerContext context, Collector<OutgoingRecord> out)
      throws Exception {
    PendingBatch pending = pendingBatch.value();
    if (timestamp == END_OF_INPUT) {
      if (pending != null) {
        close(pending, BatchClosedBy.END_OF_INPUT, context, out);
      }
      DomainState state = domainState.value();
      if (state != null && state.getSteps() > state.getPublishedAtStep()) {
        publish(context.getCurrentKey(), state, out);
        domainState.update(state);
      }
    } else if (pending != null && pending.getTimer() != null && pending.getTimer() == timestamp) {
      long now = context.timerService().currentProcessingTime();
      if (streamTimePassed(pending) || pause.millis(now) >= settings.batchTimeout().toMillis()) {
        close(pending, BatchClosedBy.TIMEOUT, context, out);
        pause.exclude(context.timerService().currentProcessingTime() - now);
      } else {
        watch(pending, context);
        pendingBatch.update(pending);
      }
    }
  }

  private void close(
      PendingBatch pending, BatchClosedBy closedBy, Context context, Collector<OutgoingRecord> out)
      throws Exception {
    List<ReceivedExample> batch = new ArrayList<>();
    pendingExamples.get().forEach(batch::add);
    if (pending.getTimer() != null) {
      context.timerService().deleteProcessingTimeTimer(pending.getTimer());
    }
    pendingExamples.clear();
    pendingBatch.clear();
    train(batch, closedBy, context, out);
  }

  private void train(
      List<ReceivedExample> batch,
      BatchClosedBy closedBy,
      Context context,
      Collector<OutgoingRecord> out)
      throws Exception {
    String domain = context.getCurrentKey();
    DomainState state = domainState.value();
    if (state == null) {
      state = trainer.initialState();
    }
    TrainingStep step;
    try {
      step = trainer.step(domain, state, batch, closedBy);
    } catch (NonFiniteStepException e) {
      RecordError error = new RecordError("NonFiniteStep", e.getMessage());
      batch.forEach(example -> out.collect(OutgoingRecords.deadLetter(example, error)));
      return;
    }
    out.collect(OutgoingRecords.step(step));
    context.output(Evidence.INPUT, Evidence.input(step));
    metrics.step(domain, step.getCorrect(), step.getLoss(), step.getStepMillis());
    if (state.getSteps() - state.getPublishedAtStep() >= settings.publishEverySteps()) {
      publish(domain, state, out);
    }
    domainState.update(state);
  }

  /**
   * Emits the state as the domain's next version, and where one is due, a snapshot of all of it.
   */
  private void publish(String domain, DomainState state, Collector<OutgoingRecord> out) {
    AdapterVersion version = trainer.publish(domain, state);
    if (signer != null) {
      version.setSignature(signer.sign(version.getSha256()));
    }
    out.collect(OutgoingRecords.version(version));
    out.collect(OutgoingRecords.published(version));
    int every = settings.snapshotEveryVersions();
    if (every > 0 && state.getVersion() % every == 0) {
      snapshot(domain, state, out);
    }
    metrics.version(domain, state.getVersion());
  }

  private void snapshot(String domain, DomainState state, Collector<OutgoingRecord> out) {
    long bytes = DomainStates.bytes(state);
    if (bytes > LARGEST_SNAPSHOT_BYTES) {
      LOG.warn(
          "{}@{}: no snapshot: the state is {} bytes, a record holds {}",
          domain,
          state.getVersion(),
          bytes,
          LARGEST_SNAPSHOT_BYTES);
    } else {
      out.collect(OutgoingRecords.snapshot(trainer.snapshot(domain, state)));
    }
  }
}
