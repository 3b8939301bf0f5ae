package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.schemas.OutgoingRecord;
import java.util.Properties;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.TransactionNamingStrategy;
import org.apache.kafka.clients.producer.ProducerConfig;

/**
 * The Kafka sinks of the job.
 *
 * <p>Exactly-once publishing rests on three parts. Each subtask of {@link #transactional} writes
 * its records in one Kafka transaction per checkpoint, and commits it when the checkpoint
 * completes; so what readers of committed records see is exactly what the state of that checkpoint
 * holds. {@link io.millrace.operators.output.OutgoingRecords} says which records share a subtask.
 * {@link TransactionNamingStrategy#POOLING} aborts the transactions that a killed job left open, at
 * any parallelism. {@link CommitDeadline} fails the job before Kafka aborts a transaction that
 * waits for its checkpoint, because the state would then be ahead of the topics.
 */
record JobSinks(Settings settings, Connection connection) {
  /** Kafka's brokers refuse a longer timeout unless they are configured otherwise. */
  private static final int TRANSACTION_TIMEOUT_MILLIS = 15 * 60 * 1000;

  private static final int LARGEST_RECORD_BYTES = 64 * 1024 * 1024;

  /** The rest of a record is for its key and headers. */
  static final int LARGEST_VALUE_BYTES = LARGEST_RECORD_BYTES - 64 * 1024;

  /** Adapters and their publications, steps, snapshots and dead letters: exactly once. */
  KafkaSink<OutgoingRecord> transactional() {
    Properties properties = connection.properties();
    properties.put(
        ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, Integer.toString(TRANSACTION_TIMEOUT_MILLIS));
    properties.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, Integer.toString(LARGEST_RECORD_BYTES));
    properties.put(
        ProducerConfig.BUFFER_MEMORY_CONFIG,
        Long.toString(32L * 1024 * 1024 + LARGEST_RECORD_BYTES));
    return KafkaSink.<OutgoingRecord>builder()
        .setKafkaProducerConfig(properties)
        .setBootstrapServers(connection.bootstrapServers())
        .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .setTransactionalIdPrefix(settings.get(JobSettings.GROUP))
        .setTransactionNamingStrategy(TransactionNamingStrategy.POOLING)
        .setRecordSerializer(new OutgoingRecordWriter(connection))
        .build();
  }

  /**
   * Decisions for {@code rollouts}: at least once and in no transaction, because a decision counts
   * as it stands. A decision that is written twice has no effect the second time.
   */
  KafkaSink<OutgoingRecord> decisions() {
    Properties properties = connection.properties();
    properties.put(ProducerConfig.ACKS_CONFIG, "all");
    properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, "true");
    return KafkaSink.<OutgoingRecord>builder()
        .setKafkaProducerConfig(properties)
        .setBootstrapServers(connection.bootstrapServers())
        .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
        .setRecordSerializer(new OutgoingRecordWriter(connection))
        .build();
  }

  /** Progress, as far as Kafka takes it. */
  ProgressSink progress() {
    return new ProgressSink(connection, ProgressSink.PATIENCE, ProgressSink.PAUSE);
  }
}
