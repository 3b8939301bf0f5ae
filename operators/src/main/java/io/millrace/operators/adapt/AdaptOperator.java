package io.millrace.operators.adapt;

import io.millrace.operators.gate.EndOfTraining;
import io.millrace.operators.metrics.DeadLetterMetrics;
import io.millrace.operators.metrics.JobMetrics;
import io.millrace.operators.output.OutgoingRecords;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReadyBatch;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.signing.AdapterSigner;
import io.millrace.schemas.signing.KeyFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ScheduledFuture;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.SimpleTimerService;
import org.apache.flink.streaming.api.TimerService;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.TimestampedCollector;
import org.apache.flink.streaming.api.operators.Triggerable;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Adapts one model per domain: gathers a domain's examples into batches, takes a training step for
 * each batch, those of several domains together, and publishes a version every so many steps.
 *
 * <p>The hard parts are explained where they are solved: {@link PendingBatches} says what closes a
 * batch, and why training is a function of the stream; {@link ReadyQueue} says which batches train
 * together, and when; {@link OutgoingRecords} says why what is published is exactly what state
 * holds.
 *
 * <p>An operator and not a process function, because a group changes the states of several keys.
 * State and timers have the names that a process function gave them, so that savepoints open.
 */
final class AdaptOperator extends AbstractStreamOperator<OutgoingRecord>
    implements OneInputStreamOperator<ReceivedExample, OutgoingRecord>,
        Triggerable<String, VoidNamespace> {
  private static final long serialVersionUID = 1;

  private final AdaptSettings settings;
  private final ParentVersions parents;

  private transient TimerService timers;
  private transient StreamPause pause;
  private transient PendingBatches batches;
  private transient ReadyBatches ready;
  private transient Optional<DomainRetention> retention;
  private transient DomainTrainers trainers;
  private transient ProgressReports progress;
  private transient DomainTraining training;
  private transient Turn turn;

  /** Ends the wait of the batch that is ready longest; null while none waits. */
  private transient ScheduledFuture<?> endOfWait;

  /** Whether no example comes any more, so that steps without a version are to be published. */
  private transient boolean inputEnded;

  AdaptOperator(AdaptSettings settings, ParentVersions parents) {
    this.settings = settings;
    this.parents = parents;
  }

  @Override
  public void open() throws Exception {
    super.open();
    Optional<AdapterSigner> signer = signer(settings.signingKey());
    timers =
        new SimpleTimerService(
            getInternalTimerService("user-timers", VoidNamespaceSerializer.INSTANCE, this));
    pause = new StreamPause(getRuntimeContext());
    turn = new Turn(getProcessingTimeService(), settings.groups().tokens());
    batches = new PendingBatches(getRuntimeContext(), settings.domains(), pause);
    Duration kept = settings.limits().retention();
    retention =
        kept.isZero()
            ? Optional.empty()
            : Optional.of(new DomainRetention(getRuntimeContext(), kept));
    trainers = DomainTrainers.open(settings, settings.device().of(getRuntimeContext()));
    TimestampedCollector<OutgoingRecord> out = new TimestampedCollector<>(output);
    MetricGroup group = JobMetrics.of(getMetricGroup());
    DomainMetrics metrics = new DomainMetrics(group, settings.limits().metricsDomains());
    progress =
        new ProgressReports(
            out, FrozenComparison.open(settings, getRuntimeContext(), System::nanoTime), metrics);
    ready = new ReadyBatches(getRuntimeContext(), settings.groups(), trainers::anyGroups);
    training =
        new DomainTraining(
            getRuntimeContext(),
            this,
            out,
            trainers,
            new DomainStart(settings.domains(), trainers, parents),
            new DomainPublisher(trainers, signer, settings),
            metrics,
            new DeadLetterMetrics(group),
            progress,
            settings.limits());
    ready.restore(getKeyedStateBackend());
    waitForOthers();
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

  @Override
  public void close() throws Exception {
    if (progress != null) {
      progress.close();
    }
    if (trainers != null) {
      trainers.close();
    }
    super.close();
    parents.close();
  }

  @Override
  public void processElement(StreamRecord<ReceivedExample> element) throws Exception {
    ReceivedExample received = element.getValue();
    String domain = received.getExample().getDomain();
    ready.queue().seen(domain);
    if (retention.isPresent()) {
      batches.closeBefore(received, timers, batch -> ready.queue().add(domain, batch));
      if (retention.get().isOverBefore(received, timers)) {
        trainAll(domain);
        forget(domain);
      }
    }
    if (training.isSetAside()) {
      trainAll(domain);
      training.refuse(batches.giveUp(timers));
      training.refuse(List.of(received));
    } else {
      batches.add(received, timers, batch -> ready.queue().add(domain, batch));
    }
    trainWhatIsDue(domain);
    pause.restart(timers.currentProcessingTime());
  }

  @Override
  public void onEventTime(InternalTimer<String, VoidNamespace> timer) throws Exception {
    onTimer(timer.getKey(), timer.getTimestamp());
  }

  @Override
  public void onProcessingTime(InternalTimer<String, VoidNamespace> timer) throws Exception {
    turn.begin();
    if (turn.isOver() && batches.isDue(timer.getTimestamp())) {
      batches.postpone(turn.later(), timers);
    } else {
      onTimer(timer.getKey(), timer.getTimestamp());
    }
  }

  private void onTimer(String domain, long timestamp) throws Exception {
    batches.onTimer(domain, timestamp, timers, batch -> ready.queue().add(domain, batch));
    trainWhatIsDue(domain);
    if (timestamp == PendingBatches.END_OF_INPUT) {
      inputEnded = true;
      publishTheRest(domain);
    } else if (retention.isPresent()
        && retention.get().isOver(timestamp, timers)
        && forget(domain)) {
      retention.get().end(timers);
      PendingBatches.forget(timers);
    }
  }

  /** Drops the current domain, which is over, where all that it sent is trained on. */
  private boolean forget(String domain) throws Exception {
    return !batches.isOpen()
        && !ready.queue().has(domain)
        && training.forget(domain, retention.orElseThrow().lastExample());
  }

  /** Publishes what the current domain has trained, once no batch of it is to come. */
  private void publishTheRest(String domain) throws Exception {
    if (!batches.isOpen() && !ready.queue().has(domain)) {
      training.publishTheRest(domain);
    }
  }

  /** Trains groups for as long as one is due, and lets the rest wait. The current key stays. */
  private void trainWhatIsDue(String domain) throws Exception {
    while (ready.queue().isDue()) {
      trainGroup();
    }
    setCurrentKey(domain);
    ready.mark(domain);
    waitForOthers();
  }

  /** Trains what is ready of a domain, with those that stand before it. The current key stays. */
  private void trainAll(String domain) throws Exception {
    while (ready.queue().has(domain)) {
      trainGroup();
    }
    setCurrentKey(domain);
  }

  private void trainAll() throws Exception {
    while (!ready.queue().isEmpty()) {
      trainGroup();
    }
    waitForOthers();
  }

  private void trainGroup() throws Exception {
    long started = timers.currentProcessingTime();
    long tokens = 0;
    List<DomainTraining.Batch> group = new ArrayList<>();
    for (Map.Entry<String, ReadyBatch> next : ready.queue().take()) {
      String domain = next.getKey();
      ReadyBatch batch = next.getValue();
      setCurrentKey(domain);
      ready.mark(domain);
      tokens += batch.getTokens();
      group.add(
          new DomainTraining.Batch(domain, batches.take(batch.getExamples()), batch.getClosedBy()));
    }
    training.train(group);
    if (inputEnded) {
      for (DomainTraining.Batch batch : group) {
        setCurrentKey(batch.domain());
        publishTheRest(batch.domain());
      }
    }
    long took = timers.currentProcessingTime() - started;
    pause.exclude(took);
    turn.trained(group.size(), tokens, took);
  }

  private void waitForOthers() {
    if (ready.queue().isEmpty()) {
      if (endOfWait != null) {
        endOfWait.cancel(false);
        endOfWait = null;
      }
    } else if (endOfWait == null) {
      long now = getProcessingTimeService().getCurrentProcessingTime();
      endOfWait =
          getProcessingTimeService()
              .registerTimer(now + settings.groups().longestWait().toMillis(), at -> endWait());
    }
  }

  private void endWait() throws Exception {
    endOfWait = null;
    trainAll();
  }

  /**
   * At the end of the input, what has left a domain's open batch must have left the queue too: its
   * timer, which publishes the rest, has fired. That is less than a group.
   */
  @Override
  public void prepareSnapshotPreBarrier(long checkpoint) throws Exception {
    if (inputEnded) {
      trainAll();
    }
    super.prepareSnapshotPreBarrier(checkpoint);
  }

  /** All that is ready leaves before the end of time does. */
  @Override
  public void processWatermark(Watermark mark) throws Exception {
    if (mark.equals(EndOfTraining.INPUT_READ)) {
      trainTheRest();
      return;
    }
    if (mark.equals(Watermark.MAX_WATERMARK)) {
      getTimeServiceManager().orElseThrow().advanceWatermark(mark);
      trainAll();
    }
    super.processWatermark(mark);
  }

  /** Closes and trains the batches that are open, and lets checkpoints begin meanwhile. */
  private void trainTheRest() throws Exception {
    turn.begin();
    if (getTimeServiceManager()
        .orElseThrow()
        .tryAdvanceWatermark(Watermark.MAX_WATERMARK, turn::isOver)) {
      trainAll();
      new EndOfTraining(getRuntimeContext()).reached();
    } else {
      long now = getProcessingTimeService().getCurrentProcessingTime();
      getProcessingTimeService().registerTimer(now, at -> trainTheRest());
    }
  }

  /** A checkpoint's state is complete: large states are written to Flink's state for it alone. */
  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    training.writeAll();
    super.snapshotState(context);
  }

  @Override
  public void notifyCheckpointComplete(long checkpoint) throws Exception {
    super.notifyCheckpointComplete(checkpoint);
    progress.checkpointed(Instant.ofEpochMilli(timers.currentProcessingTime()));
  }

  @Override
  public void finish() throws Exception {
    trainAll();
    super.finish();
  }
}
