package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RecordError;
import io.millrace.schemas.text.ShownText;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Reads records of {@code labeled-examples}. It never fails on a record: an unreadable record is
 * emitted with the reason and its original bytes. It waits while the registry is unavailable,
 * because no record is at fault then.
 *
 * <p>One kind of record is not kept whole: one that is longer than allowed, since a few compressed
 * kilobytes can expand to more than Kafka accepts from the job. Only its beginning is kept; the
 * source topic still holds all of it.
 */
final class ReceivedExampleReader implements KafkaRecordDeserializationSchema<ReceivedExample> {
  private static final long serialVersionUID = 1;

  private final Connection connection;
  private final int largest;
  private transient Deserializer<LabeledExample> deserializer;

  /**
   * @param largest bytes of key and value together; a longer record is not read
   */
  ReceivedExampleReader(Connection connection, int largest) {
    this.connection = connection;
    this.largest = largest;
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
    long bytes = (long) length(record.key()) + length(record.value());
    if (bytes > largest) {
      received.setKey(beginning(record.key(), largest / 2));
      received.setValue(beginning(record.value(), largest - length(received.getKey())));
      received.setError(
          new RecordError(
              "RecordTooLarge",
              "the record is %d bytes long, limits.recordBytes allows %d; a dead letter holds the first %d of its value"
                  .formatted(bytes, largest, length(received.getValue()))));
    } else if (record.value() == null) {
      received.setError(new RecordError("EmptyRecord", "the record has no value"));
    } else {
      try {
        received.setExample(
            RegistryPatience.patiently(
                () -> deserializer.deserialize(record.topic(), record.value())));
      } catch (UnreadableRecordException e) {
        received.setError(new RecordError("UnreadableRecord", ShownText.of(e.getMessage())));
      }
    }
    out.collect(received);
  }

  private static int length(byte[] bytes) {
    return bytes == null ? 0 : bytes.length;
  }

  private static int length(ByteBuffer bytes) {
    return bytes == null ? 0 : bytes.remaining();
  }

  private static ByteBuffer beginning(byte[] bytes, int atMost) {
    // A copy, so that the rest can be freed.
    return length(bytes) > atMost ? buffer(Arrays.copyOf(bytes, atMost)) : buffer(bytes);
  }

  private static ByteBuffer buffer(byte[] bytes) {
    return bytes == null ? null : ByteBuffer.wrap(bytes);
  }

  @Override
  public TypeInformation<ReceivedExample> getProducedType() {
    return new AvroTypeInfo<>(ReceivedExample.class);
  }
}
