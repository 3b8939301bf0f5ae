package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.operators.evidence.Evidence;
import io.millrace.schemas.EvidenceInput;
import io.millrace.schemas.Topics;
import io.millrace.schemas.VersionPlace;
import io.millrace.schemas.VersionRef;
import java.io.IOException;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads where versions and tombstones stand in {@code adapters}; payloads are skipped. */
final class VersionPlaceReader implements KafkaRecordDeserializationSchema<EvidenceInput> {
  private static final long serialVersionUID = 1;
  private static final Logger LOG = LoggerFactory.getLogger(VersionPlaceReader.class);

  private final Connection connection;
  private transient Deserializer<VersionRef> deserializer;

  VersionPlaceReader(Connection connection) {
    this.connection = connection;
  }

  @Override
  public void open(DeserializationSchema.InitializationContext context) {
    deserializer = connection.versionRefDeserializer();
  }

  @Override
  public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<EvidenceInput> out)
      throws IOException {
    try {
      String domain = Topics.domainOfAdapterKey(record.key());
      long version = Topics.versionOfAdapterKey(record.key());
      VersionRef ref =
          RegistryPatience.patiently(
              () -> deserializer.deserialize(record.topic(), record.value()));
      out.collect(
          Evidence.input(
              domain,
              new VersionPlace(
                  version,
                  ref == null ? null : ref.getSha256(),
                  record.partition(),
                  record.offset(),
                  record.timestamp())));
    } catch (UnreadableRecordException | IllegalArgumentException | NullPointerException e) {
      LOG.warn(
          "{}-{} at offset {} is no version: {}",
          record.topic(),
          record.partition(),
          record.offset(),
          e.getMessage());
    }
  }

  @Override
  public TypeInformation<EvidenceInput> getProducedType() {
    return new AvroTypeInfo<>(EvidenceInput.class);
  }
}
