package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.operators.gate.EndOfTraining;
import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.KafkaSourceEnumState;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * The connector's {@link KafkaSource} with three corrections.
 *
 * <p><b>It names lost records</b> if its consumers ask for records that Kafka does not hold; see
 * {@link LostExamplesException}.
 *
 * <p><b>A restored bounded source ends.</b> The connector's enumerator (up to version 5.0.0) finds
 * no new partition after a restore and never tells its readers that no more splits will come, so
 * the job never ends (FLINK-31006). A restored bounded source has all its splits; {@link
 * CompleteEnumerator} tells each reader so when it registers. It can be removed once the connector
 * does this.
 *
 * <p><b>A bounded source ends when all is trained.</b> Until then Flink takes checkpoints of it and
 * of the tasks that train: see {@link EndOfTraining}.
 */
final class ExampleSource<T>
    implements Source<T, KafkaPartitionSplit, KafkaSourceEnumState>, ResultTypeQueryable<T> {
  private static final long serialVersionUID = 1;

  private final KafkaSource<T> source;
  private final Connection connection;

  ExampleSource(KafkaSource<T> source, Connection connection) {
    this.source = source;
    this.connection = connection;
  }

  @Override
  public Boundedness getBoundedness() {
    return source.getBoundedness();
  }

  @Override
  public SourceReader<T, KafkaPartitionSplit> createReader(SourceReaderContext context)
      throws Exception {
    return new LosslessReader<>(source.createReader(context), connection);
  }

  @Override
  public SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> createEnumerator(
      SplitEnumeratorContext<KafkaPartitionSplit> context) {
    return source.createEnumerator(context);
  }

  @Override
  public SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> restoreEnumerator(
      SplitEnumeratorContext<KafkaPartitionSplit> context, KafkaSourceEnumState state)
      throws IOException {
    SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> enumerator =
        source.restoreEnumerator(context, state);
    boolean complete =
        getBoundedness() == Boundedness.BOUNDED
            && state.initialDiscoveryFinished()
            && state.unassignedSplits().isEmpty();
    return complete ? new CompleteEnumerator(enumerator, context) : enumerator;
  }

  @Override
  public SimpleVersionedSerializer<KafkaPartitionSplit> getSplitSerializer() {
    return source.getSplitSerializer();
  }

  @Override
  public SimpleVersionedSerializer<KafkaSourceEnumState> getEnumeratorCheckpointSerializer() {
    return source.getEnumeratorCheckpointSerializer();
  }

  @Override
  public TypeInformation<T> getProducedType() {
    return source.getProducedType();
  }

  private static final class LosslessReader<T> implements SourceReader<T, KafkaPartitionSplit> {
    /** Milliseconds from one question to the next: twice the last, up to the longest. */
    private static final long SHORTEST = 5;

    private static final long LONGEST = 500;

    private final SourceReader<T, KafkaPartitionSplit> reader;
    private final Connection connection;
    private boolean inputRead;
    private long pause = SHORTEST;
    private CompletableFuture<Void> nextQuestion;

    LosslessReader(SourceReader<T, KafkaPartitionSplit> reader, Connection connection) {
      this.reader = reader;
      this.connection = connection;
    }

    @Override
    public void start() {
      reader.start();
    }

    @Override
    public InputStatus pollNext(ReaderOutput<T> output) throws Exception {
      if (!inputRead) {
        InputStatus status = read(output);
        if (status != InputStatus.END_OF_INPUT) {
          return status;
        }
        inputRead = true;
        output.emitWatermark(new Watermark(EndOfTraining.INPUT_READ.getTimestamp()));
      }
      Optional<EndOfTraining> end = EndOfTraining.ofThisTask();
      if (end.isEmpty() || end.get().isReached()) {
        return InputStatus.END_OF_INPUT;
      }
      nextQuestion =
          new CompletableFuture<Void>().completeOnTimeout(null, pause, TimeUnit.MILLISECONDS);
      pause = Math.min(2 * pause, LONGEST);
      return InputStatus.NOTHING_AVAILABLE;
    }

    /**
     * Rethrows the failure of a consumer thread, as {@link LostExamplesException} or {@link
     * DamagedRecordsException} where it is one.
     */
    private InputStatus read(ReaderOutput<T> output) throws Exception {
      try {
        return reader.pollNext(output);
      } catch (RuntimeException e) {
        Optional<? extends Exception> known = LostExamplesException.in(e, connection);
        if (known.isEmpty()) {
          known = DamagedRecordsException.in(e);
        }
        throw known.isPresent() ? known.get() : e;
      }
    }

    @Override
    public List<KafkaPartitionSplit> snapshotState(long checkpoint) {
      return reader.snapshotState(checkpoint);
    }

    @Override
    public CompletableFuture<Void> isAvailable() {
      return inputRead ? nextQuestion : reader.isAvailable();
    }

    @Override
    public void addSplits(List<KafkaPartitionSplit> splits) {
      reader.addSplits(splits);
    }

    @Override
    public void notifyNoMoreSplits() {
      reader.notifyNoMoreSplits();
    }

    @Override
    public void handleSourceEvents(SourceEvent event) {
      reader.handleSourceEvents(event);
    }

    @Override
    public void notifyCheckpointComplete(long checkpoint) throws Exception {
      reader.notifyCheckpointComplete(checkpoint);
    }

    @Override
    public void notifyCheckpointAborted(long checkpoint) throws Exception {
      reader.notifyCheckpointAborted(checkpoint);
    }

    @Override
    public void pauseOrResumeSplits(Collection<String> pause, Collection<String> resume) {
      reader.pauseOrResumeSplits(pause, resume);
    }

    @Override
    public void close() throws Exception {
      reader.close();
    }
  }

  /** An enumerator whose splits are all assigned. */
  private record CompleteEnumerator(
      SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> enumerator,
      SplitEnumeratorContext<KafkaPartitionSplit> context)
      implements SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> {

    @Override
    public void start() {
      enumerator.start();
    }

    @Override
    public void handleSplitRequest(int subtask, String hostname) {
      enumerator.handleSplitRequest(subtask, hostname);
    }

    @Override
    public void addSplitsBack(List<KafkaPartitionSplit> splits, int subtask) {
      enumerator.addSplitsBack(splits, subtask);
    }

    @Override
    public void addReader(int subtask) {
      // Before the signal: a reader that failed gets its splits back here.
      enumerator.addReader(subtask);
      context.signalNoMoreSplits(subtask);
    }

    @Override
    public KafkaSourceEnumState snapshotState(long checkpoint) throws Exception {
      return enumerator.snapshotState(checkpoint);
    }

    @Override
    public void notifyCheckpointComplete(long checkpoint) throws Exception {
      enumerator.notifyCheckpointComplete(checkpoint);
    }

    @Override
    public void handleSourceEvent(int subtask, SourceEvent event) {
      enumerator.handleSourceEvent(subtask, event);
    }

    @Override
    public void close() throws IOException {
      enumerator.close();
    }
  }
}
