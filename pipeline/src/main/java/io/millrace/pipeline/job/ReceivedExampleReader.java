package io.millrace.pipeline.job;

import io.millrace.client.Connection;
import io.millrace.client.UnreadableRecordException;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RecordError;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Reads records of {@code labeled-examples}. It never fails on a record: what cannot be read comes
 * out with the reason, its bytes untouched. A registry that is away is waited for, since no record
 * is at fault.
 */
final class ReceivedExampleReader implements KafkaRecordDeserializationSchema<ReceivedExample> {
  private static final long serialVersionUID = 1;

  private final Connection connection;
  private transient Deserializer<LabeledExample> deserializer;

  ReceivedExampleReader(Connection connection) {
    this.connection = connection;
  }

  @Override
  public void open(DeserializationSchema.InitializationContext context) {
    deserializer = connection.deserializer(LabeledExample.class);
  }

  @Override
  public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<ReceivedExample> out)
      throws IOException {
    ReceivedExample received =
        ReceivedExample.newBuilder()
            .setTopic(record.topic())
            .setPartition(record.partition())
            .setOffset(record.offset())
            .setTimestamp(record.timestamp())
            .setKey(buffer(record.key()))
            .setValue(buffer(record.value()))
            .build();
    if (record.value() == null) {
      received.setError(new RecordError("EmptyRecord", "the record has no value"));
    } else {
      try {
        received.setExample(
            RegistryPatience.patiently(
                () -> deserializer.deserialize(record.topic(), record.value())));
      } catch (UnreadableRecordException e) {
        received.setError(new RecordError("UnreadableRecord", e.getMessage()));
      }
    }
    out.collect(received);
  }

  private static ByteBuffer buffer(byte[] bytes) {
    return bytes == null ? null : ByteBuffer.wrap(bytes);
  }

  @Override
  public TypeInformation<ReceivedExample> getProducedType() {
    return new AvroTypeInfo<>(ReceivedExample.class);
  }
}
