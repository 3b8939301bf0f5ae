package io.millrace.pipeline.job;

import java.util.Collection;
import java.util.Map;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.kafka.clients.consumer.OffsetResetStrategy;
import org.apache.kafka.common.TopicPartition;

/**
 * Begins with the first record that each partition holds when the job is new. Unlike {@link
 * OffsetsInitializer#earliest}, whose consumers return to the beginning, without a word, whenever
 * Kafka does not hold the record they ask for.
 *
 * @param skipLost whether they may nonetheless
 */
@SuppressWarnings("deprecation") // The connector's interface knows no other OffsetResetStrategy.
record BeginningOffsets(boolean skipLost) implements OffsetsInitializer {
  @Override
  public Map<TopicPartition, Long> getPartitionOffsets(
      Collection<TopicPartition> partitions, PartitionOffsetsRetriever retriever) {
    // In numbers: "the beginning" would be another one when a checkpoint is restored.
    return retriever.beginningOffsets(partitions);
  }

  @Override
  public OffsetResetStrategy getAutoOffsetResetStrategy() {
    return skipLost ? OffsetResetStrategy.EARLIEST : OffsetResetStrategy.NONE;
  }
}
