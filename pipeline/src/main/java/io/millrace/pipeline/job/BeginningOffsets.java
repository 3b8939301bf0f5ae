package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
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
 * @param once whether it is a failure if a job has trained there before
 * @param connection to where that shows
 */
@SuppressWarnings("deprecation") // The connector's interface knows no other OffsetResetStrategy.
record BeginningOffsets(boolean skipLost, boolean once, Connection connection)
    implements OffsetsInitializer {
  @Override
  public Map<TopicPartition, Long> getPartitionOffsets(
      Collection<TopicPartition> partitions, PartitionOffsetsRetriever retriever) {
    // Only a job without state comes here. What it commits comes with a checkpoint, so a job that
    // has restarted before its first one finds nothing of its own.
    if (once && JobOutput.exists(connection)) {
      throw new TrainedBeforeException();
    }
    // As numbers: "earliest" would resolve to another offset when a checkpoint is restored.
    return retriever.beginningOffsets(partitions);
  }

  @Override
  public OffsetResetStrategy getAutoOffsetResetStrategy() {
    return skipLost ? OffsetResetStrategy.EARLIEST : OffsetResetStrategy.NONE;
  }
}
