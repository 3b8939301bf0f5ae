package io.millrace.pipeline.job;

import java.util.Collection;
import java.util.Map;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.kafka.clients.consumer.OffsetResetStrategy;
import org.apache.kafka.common.TopicPartition;

/**
 * Starts a new job at the first record of each partition. With {@link OffsetsInitializer#earliest}
 * consumers would also return to the beginning, without an error, whenever Kafka does not hold the
 * record they ask for.
 *
 * @param skipLost whether consumers may do so nevertheless
 */
@SuppressWarnings("deprecation") // The connector's interface knows no other OffsetResetStrategy.
record BeginningOffsets(boolean skipLost) implements OffsetsInitializer {
  @Override
  public Map<TopicPartition, Long> getPartitionOffsets(
      Collection<TopicPartition> partitions, PartitionOffsetsRetriever retriever) {
    // As numbers: "earliest" would resolve to another offset when a checkpoint is restored.
    return retriever.beginningOffsets(partitions);
  }

  @Override
  public OffsetResetStrategy getAutoOffsetResetStrategy() {
    return skipLost ? OffsetResetStrategy.EARLIEST : OffsetResetStrategy.NONE;
  }
}
