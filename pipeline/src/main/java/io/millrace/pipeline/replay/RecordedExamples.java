package io.millrace.pipeline.replay;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.pipeline.records.RecordsByOffset;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.TrainingStep;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;

/** Reads the examples of recorded steps again, by their recorded offsets. For one thread. */
public final class RecordedExamples implements AutoCloseable {
  private final RecordsByOffset records;
  private final Deserializer<LabeledExample> reader;

  /**
   * @param topic that holds them: {@code labeled-examples}, or a copy with the same offsets
   */
  public RecordedExamples(Connection connection, String topic) {
    this.records = new RecordsByOffset(connection, topic);
    this.reader = connection.deserializer(LabeledExample.class);
  }

  /** Name of the topic. */
  String topic() {
    return records.topic();
  }

  /** Whether an example of a step lies outside of what the topic holds. */
  boolean isMissing(TrainingStep step) {
    return step.getBatch().stream()
        .anyMatch(
            run ->
                run.getFirstOffset() < records.beginning(run.getPartition())
                    || run.getFirstOffset() + run.getCount() > records.end(run.getPartition()));
  }

  /** Of the steps' examples, those outside of what the topic holds. */
  MissingExamples missing(List<TrainingStep> steps) {
    SortedMap<Integer, TreeSet<Long>> missing = new TreeMap<>();
    for (TrainingStep step : steps) {
      for (OffsetRun run : step.getBatch()) {
        int partition = run.getPartition();
        for (long offset = run.getFirstOffset();
            offset < run.getFirstOffset() + run.getCount();
            offset++) {
          if (offset < records.beginning(partition) || offset >= records.end(partition)) {
            missing.computeIfAbsent(partition, p -> new TreeSet<>()).add(offset);
          }
        }
      }
    }
    return new MissingExamples(records.topic(), missing);
  }

  /**
   * The examples of a batch, in its order.
   *
   * @throws MissingExamplesException where one is not there
   * @throws UnreadableExampleException where one is no example
   */
  List<ReceivedExample> read(List<OffsetRun> batch) {
    List<ReceivedExample> examples = new ArrayList<>();
    for (OffsetRun run : batch) {
      for (long offset = run.getFirstOffset();
          offset < run.getFirstOffset() + run.getCount();
          offset++) {
        examples.add(read(run.getPartition(), offset));
      }
    }
    return examples;
  }

  private ReceivedExample read(int partition, long offset) {
    ConsumerRecord<byte[], byte[]> record =
        records
            .at(partition, offset)
            .orElseThrow(
                () ->
                    new MissingExamplesException(
                        MissingExamples.of(records.topic(), partition, offset)));
    try {
      LabeledExample example = reader.deserialize(record.topic(), record.value());
      if (example == null) {
        throw new UnreadableRecordException("the record has no value");
      }
      return ReceivedExample.newBuilder()
          .setTopic(record.topic())
          .setPartition(partition)
          .setOffset(offset)
          .setTimestamp(record.timestamp())
          .setExample(example)
          .build();
    } catch (UnreadableRecordException e) {
      throw new UnreadableExampleException(
          "%s-%d at offset %d: %s".formatted(record.topic(), partition, offset, e.getMessage()));
    }
  }

  @Override
  public void close() {
    records.close();
  }
}
