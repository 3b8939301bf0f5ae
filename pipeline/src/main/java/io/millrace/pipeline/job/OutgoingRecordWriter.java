package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.DomainPartition;
import io.millrace.operators.adapt.PermanentFailureException;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.Topics;
import io.millrace.schemas.text.ShownText;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.apache.avro.specific.SpecificRecord;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.connector.kafka.lineage.DefaultKafkaDatasetFacet;
import org.apache.flink.connector.kafka.lineage.DefaultKafkaDatasetIdentifier;
import org.apache.flink.connector.kafka.lineage.KafkaDatasetFacet;
import org.apache.flink.connector.kafka.lineage.KafkaDatasetFacetProvider;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serializer;

/**
 * Converts the output of the operators to Kafka records: bytes unchanged, Avro records in wire
 * format. It waits while the registry is unavailable.
 */
final class OutgoingRecordWriter
    implements KafkaRecordSerializationSchema<OutgoingRecord>, KafkaDatasetFacetProvider {
  private static final long serialVersionUID = 1;
  private static final List<String> TOPICS =
      List.of(
          Topics.ADAPTERS,
          Topics.TRAINING_STEPS,
          Topics.TRAINING_SNAPSHOTS,
          Topics.ROLLOUTS,
          Topics.DEAD_LETTERS);

  private final Connection connection;
  private transient Serializer<Object> serializer;

  OutgoingRecordWriter(Connection connection) {
    this.connection = connection;
  }

  @Override
  public void open(
      SerializationSchema.InitializationContext context, KafkaSinkContext sinkContext) {
    serializer = connection.serializer();
  }

  @Override
  public ProducerRecord<byte[], byte[]> serialize(
      OutgoingRecord record, KafkaSinkContext context, Long timestamp) {
    RecordHeaders headers = new RecordHeaders();
    record
        .getHeaders()
        .forEach((name, value) -> headers.add(name, value.getBytes(StandardCharsets.UTF_8)));
    byte[] value = value(record);
    requireSendable(record, value);
    return new ProducerRecord<>(
        record.getTopic(),
        partition(record, context),
        null,
        bytes(record.getKey()),
        value,
        headers);
  }

  /**
   * The partition of the key by Kafka's default partitioner; null leaves the choice to the
   * producer.
   */
  private static Integer partition(OutgoingRecord record, KafkaSinkContext context) {
    if (record.getPartitionBy() == null) {
      return null;
    }
    int partitions = context.getPartitionsForTopic(record.getTopic()).length;
    return DomainPartition.of(bytes(record.getPartitionBy()), partitions);
  }

  /** Kafka's producer would refuse it again after each restart. */
  private static void requireSendable(OutgoingRecord record, byte[] value) {
    if (value != null && value.length > JobSinks.LARGEST_VALUE_BYTES) {
      throw new PermanentFailureException(
          "a record for the topic %s, of %s, is %d bytes long; the job sends at most %d"
              .formatted(
                  record.getTopic(),
                  ShownText.of(record.getRoute()),
                  value.length,
                  JobSinks.LARGEST_VALUE_BYTES));
    }
  }

  private byte[] value(OutgoingRecord record) {
    Object value = record.getValue();
    if (value instanceof SpecificRecord) {
      try {
        return RegistryPatience.patiently(() -> serializer.serialize(record.getTopic(), value));
      } catch (InterruptedIOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return bytes((ByteBuffer) value);
  }

  /** The topics in which the sink looks for open transactions of a killed job. */
  @Override
  public Optional<KafkaDatasetFacet> getKafkaDatasetFacet() {
    return Optional.of(
        new DefaultKafkaDatasetFacet(DefaultKafkaDatasetIdentifier.ofTopics(TOPICS)));
  }

  private static byte[] bytes(ByteBuffer buffer) {
    if (buffer == null) {
      return null;
    }
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return bytes;
  }
}
