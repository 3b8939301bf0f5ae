package io.millrace.operators.adapt;

import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.PendingBatch;
import io.millrace.schemas.ReadyBatch;
import io.millrace.schemas.ReceivedExample;
import io.millrace.svft.model.BaseModel;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.streaming.api.TimerService;

/**
 * The open batches of a subtask, at most one per domain, and the rules that close them.
 *
 * <p><b>The problem.</b> A training step is a function of its batch, and training must be a
 * function of the stream. A batch that is not full must close at some time, or a quiet domain would
 * never train. But a rule such as "five seconds after the first example" depends on how fast this
 * subtask reads, and gives other batches in every run. So a clock decides only where the stream
 * itself cannot.
 *
 * <p><b>The cases.</b> The <em>partition time</em> is the largest Kafka timestamp that this subtask
 * has received from the partition of the batch's first example. The <em>limit</em> is the timestamp
 * of that first example plus {@code batchTimeout}. With a timeout of zero there is no limit and no
 * timer: the cases 2, 5, 6 and 7 do not occur.
 *
 * <pre>
 *    event              open batch and condition         effect                      recorded as
 * 1  example received   none                             a batch opens, then 3 or 4
 * 2  example received   partition time above the limit   the batch closes without    TIMEOUT
 *                                                        the example, then 1
 * 3  example received   not full with it                 the batch holds it
 * 4  example received   full with it                     the batch holds it, closes  COUNT
 * 5  the batch's timer  partition time above the limit   the batch closes            TIMEOUT
 * 6  the batch's timer  nothing received in all of       the batch closes: the       TIMEOUT
 *                       batchTimeout (StreamPause)       stream has paused
 * 7  the batch's timer  neither, or the task has to       the timer is set again
 *                       come to other work: see Turn
 * 8  end of input       any                              the batch closes            END_OF_INPUT
 * </pre>
 *
 * <p>In case 2 the timestamp of the example itself already counts. A timer is due {@code
 * batchTimeout} after it is set, in processing time. The end of the input is an event-time timer at
 * the end of time: Flink fires it when a bounded input ends or a job is drained.
 *
 * <p><b>Why the result is a function of the stream.</b> All cases but 6 depend on the stream alone.
 * Kafka's timestamps do not decrease within a partition whose topic uses {@code LogAppendTime}. So
 * the domain's next example of that partition joins the batch exactly when its own timestamp is not
 * above the limit: if it is not above, no earlier record of the partition was above it either; if
 * it is above, the example itself closes the batch. Records of other domains, which parallelism
 * distributes over the subtasks, and the timer of case 5 can close the batch earlier in real time,
 * never with other examples. (At the end of a stream they decide whether the step's record says
 * {@code TIMEOUT} or {@code END_OF_INPUT}; the examples and the state are the same.) Two conditions
 * lie outside of this class: with {@code CreateTime} timestamps may decrease, so the command {@code
 * submit} refuses such a topic unless told otherwise; and a domain whose examples lie in several
 * partitions arrives in the order in which the source reads them.
 *
 * <p><b>When a closed batch trains.</b> At once, or with those of other domains: {@link ReadyQueue}
 * says when. Its examples wait here until then, before those of the next batch.
 *
 * <p><b>What is recorded.</b> Case 6 depends on a clock. Therefore the record of every step names
 * the partition and offset of each example in its batch, in order, the hash of their content, and
 * the reason for which the batch closed. A replay reads the batches from these records and needs
 * neither timestamps nor a clock.
 *
 * <p><b>What a restore does.</b> The examples of open batches, their counts, first partitions and
 * timestamps, and all timers are keyed state, so they come back as the checkpoint saw them; on a
 * rescaled job each domain's batch moves with its key. Two things are in memory only:
 *
 * <ul>
 *   <li>The partition times begin empty. The records that are read next have timestamps at least as
 *       large as those forgotten, so cases 2 and 5 come to the same batches.
 *   <li>The pause begins with the first timer that fires or the first example received. Timers that
 *       fell due while the task was down fire at once, see no pause (case 7), and leave the batch
 *       open for the backlog, for at least {@code batchTimeout} once more.
 * </ul>
 *
 * <p>A batch that case 6 closed after the last checkpoint may hold other examples after a restore.
 * Nothing of the first attempt was committed: see {@link
 * io.millrace.operators.output.OutgoingRecords}.
 *
 * <p>All methods apply to the domain that is Flink's current key. For the task's thread.
 */
final class PendingBatches {
  /** A timer at the end of time fires when a bounded input, or a drained job, ends. */
  static final long END_OF_INPUT = Long.MAX_VALUE;

  /** Told of a batch that has closed; the domain has no open batch when it is called. */
  interface Closed {
    void closed(ReadyBatch batch);
  }

  private static final int SPECIAL_TOKENS = 2;
  private static final int BYTES_OF_TOKEN = 4;

  private final DomainRules domains;
  private final ValueState<PendingBatch> pendingBatch;
  private final ListState<ReceivedExample> pendingExamples;
  private final Map<Integer, Long> partitionTimes = new HashMap<>();
  private final StreamPause pause;

  /**
   * @param domains how large a domain's batch is, and how long it waits
   * @param pause measures how long the subtask waits for a record
   */
  PendingBatches(RuntimeContext context, DomainRules domains, StreamPause pause) {
    this.domains = domains;
    pendingBatch =
        context.getState(
            new ValueStateDescriptor<>("pending-batch", new AvroTypeInfo<>(PendingBatch.class)));
    pendingExamples =
        context.getListState(
            new ListStateDescriptor<>(
                "pending-examples", new AvroTypeInfo<>(ReceivedExample.class)));
    this.pause = pause;
  }

  /** Case 2 alone: closes a batch that is over before an example, which is not added. */
  void closeBefore(ReceivedExample received, TimerService timers, Closed closed) throws Exception {
    DomainSettings settings = settings(received);
    partitionTimes.merge(received.getPartition(), received.getTimestamp(), Math::max);
    PendingBatch pending = pendingBatch.value();
    if (pending != null && partitionTimeAboveLimit(pending, settings.batchTimeout())) {
      close(pending, BatchClosedBy.TIMEOUT, timers, closed);
    }
  }

  /** Whether the domain has an open batch. */
  boolean isOpen() throws IOException {
    return pendingBatch.value() != null;
  }

  /** Lets the end of the input pass by a domain that is dropped from state. */
  static void forget(TimerService timers) {
    timers.deleteEventTimeTimer(END_OF_INPUT);
  }

  /** Cases 1 to 4: adds an example; up to two batches close. */
  void add(ReceivedExample received, TimerService timers, Closed closed) throws Exception {
    DomainSettings settings = settings(received);
    partitionTimes.merge(received.getPartition(), received.getTimestamp(), Math::max);
    PendingBatch pending = pendingBatch.value();
    if (pending != null && partitionTimeAboveLimit(pending, settings.batchTimeout())) {
      close(pending, BatchClosedBy.TIMEOUT, timers, closed);
      pending = null;
    }
    if (pending == null) {
      pending = open(received, settings.batchTimeout(), timers);
    }
    pending.setCount(pending.getCount() + 1);
    ReceivedExample stored = StoredExample.pack(received);
    pending.setTokens(pending.getTokens() + tokens(StoredExample.textBytes(stored)));
    pendingExamples.add(stored);
    if (pending.getCount() >= settings.batchSize()) {
      close(pending, BatchClosedBy.COUNT, timers, closed);
    } else {
      pendingBatch.update(pending);
    }
  }

  private DomainSettings settings(ReceivedExample received) {
    return domains.of(received.getExample().getDomain());
  }

  /** About how many tokens a text has: an English one a token for each four letters. */
  private static int tokens(int bytes) {
    return Math.min(SPECIAL_TOKENS + bytes / BYTES_OF_TOKEN, BaseModel.MAX_TOKENS);
  }

  /** Cases 5 to 8: a timer has fired. Timers of batches that have closed since have no effect. */
  void onTimer(String domain, long timestamp, TimerService timers, Closed closed) throws Exception {
    PendingBatch pending = pendingBatch.value();
    if (pending == null) {
      return;
    }
    if (timestamp == END_OF_INPUT) {
      close(pending, BatchClosedBy.END_OF_INPUT, timers, closed);
    } else if (isDue(timestamp)) {
      Duration batchTimeout = domains.of(domain).batchTimeout();
      long now = timers.currentProcessingTime();
      if (partitionTimeAboveLimit(pending, batchTimeout)
          || pause.millis(now) >= batchTimeout.toMillis()) {
        close(pending, BatchClosedBy.TIMEOUT, timers, closed);
      } else {
        setTimer(pending, now + batchTimeout.toMillis(), timers);
        pendingBatch.update(pending);
      }
    }
  }

  /** Whether a timer that has fired is that of the open batch. */
  boolean isDue(long timestamp) throws IOException {
    PendingBatch pending = pendingBatch.value();
    return pending != null && pending.getTimer() != null && pending.getTimer() == timestamp;
  }

  /** Lets the timer of the open batch, which has fired, fire again. */
  void postpone(long at, TimerService timers) throws IOException {
    PendingBatch pending = pendingBatch.value();
    setTimer(pending, at, timers);
    pendingBatch.update(pending);
  }

  /**
   * Ends the open batch of a domain that is trained no more.
   *
   * @return its examples, in order; none where no batch is open
   */
  List<ReceivedExample> giveUp(TimerService timers) throws Exception {
    PendingBatch pending = pendingBatch.value();
    if (pending == null) {
      return List.of();
    }
    end(pending, timers);
    return take(pending.getCount());
  }

  private static PendingBatch open(
      ReceivedExample first, Duration batchTimeout, TimerService timers) {
    timers.registerEventTimeTimer(END_OF_INPUT);
    PendingBatch pending = new PendingBatch(0, first.getPartition(), first.getTimestamp(), null, 0);
    if (!batchTimeout.isZero()) {
      setTimer(pending, timers.currentProcessingTime() + batchTimeout.toMillis(), timers);
    }
    return pending;
  }

  private static void setTimer(PendingBatch pending, long at, TimerService timers) {
    pending.setTimer(at);
    timers.registerProcessingTimeTimer(at);
  }

  private boolean partitionTimeAboveLimit(PendingBatch pending, Duration batchTimeout) {
    return !batchTimeout.isZero()
        && partitionTimes.getOrDefault(pending.getPartition(), Long.MIN_VALUE)
            > pending.getFirstTimestamp() + batchTimeout.toMillis();
  }

  private void close(
      PendingBatch pending, BatchClosedBy closedBy, TimerService timers, Closed closed)
      throws Exception {
    end(pending, timers);
    // Of examples that an earlier release has stored no tokens are counted.
    int tokens = Math.max(pending.getTokens(), SPECIAL_TOKENS * pending.getCount());
    closed.closed(new ReadyBatch(pending.getCount(), tokens, closedBy));
  }

  private void end(PendingBatch pending, TimerService timers) throws Exception {
    if (pending.getTimer() != null) {
      timers.deleteProcessingTimeTimer(pending.getTimer());
    }
    pendingBatch.clear();
  }

  /**
   * Takes examples out of state: those of the domain's first closed batch, which stand before those
   * of later ones and of the open batch.
   */
  List<ReceivedExample> take(int count) throws Exception {
    List<ReceivedExample> batch = new ArrayList<>();
    List<ReceivedExample> rest = new ArrayList<>();
    for (ReceivedExample stored : pendingExamples.get()) {
      if (batch.size() < count) {
        batch.add(StoredExample.unpack(stored));
      } else {
        rest.add(stored);
      }
    }
    if (rest.isEmpty()) {
      pendingExamples.clear();
    } else {
      pendingExamples.update(rest);
    }
    return batch;
  }
}
