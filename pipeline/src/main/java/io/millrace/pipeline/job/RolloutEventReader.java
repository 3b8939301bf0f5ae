package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.client.rollout.RolloutKind;
import io.millrace.client.rollout.RolloutReading;
import io.millrace.client.rollout.RolloutReading.Counts;
import io.millrace.client.rollout.RolloutReading.LeftOut;
import io.millrace.client.rollout.RolloutReading.Outcome;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import io.millrace.schemas.text.ShownText;
import java.io.IOException;
import java.util.List;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads the events of one kind in {@code rollouts}, by the rule in {@link RolloutReading}. */
final class RolloutEventReader implements KafkaRecordDeserializationSchema<RolloutEvent> {
  private static final long serialVersionUID = 1;
  private static final Logger LOG = LoggerFactory.getLogger(RolloutEventReader.class);

  private final Connection connection;
  private final RolloutKind kind;
  private transient Deserializer<RolloutEvent> deserializer;
  private transient RolloutReading reading;

  RolloutEventReader(Connection connection, RolloutKind kind) {
    this.connection = connection;
    this.kind = kind;
  }

  @Override
  public void open(DeserializationSchema.InitializationContext context) throws Exception {
    deserializer = connection.deserializer(RolloutEvent.class);
    try (Admin admin = Admin.create(connection.properties())) {
      int partitions =
          admin
              .describeTopics(List.of(Topics.ROLLOUTS))
              .allTopicNames()
              .get()
              .get(Topics.ROLLOUTS)
              .partitions()
              .size();
      reading = new RolloutReading(kind, partitions);
    }
  }

  @Override
  public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<RolloutEvent> out)
      throws IOException {
    Outcome outcome = read(record);
    if (outcome instanceof Counts counts) {
      out.collect(counts.event());
    } else if (outcome instanceof LeftOut leftOut) {
      LOG.warn(
          "{}-{} at offset {} is no rollout event and has no effect: {}",
          record.topic(),
          record.partition(),
          record.offset(),
          ShownText.of(leftOut.reason()));
    }
  }

  private Outcome read(ConsumerRecord<byte[], byte[]> record) throws IOException {
    try {
      return reading.read(
          record.partition(),
          RegistryPatience.patiently(
              () -> deserializer.deserialize(record.topic(), record.value())));
    } catch (UnreadableRecordException e) {
      return RolloutReading.unreadable(e);
    }
  }

  @Override
  public TypeInformation<RolloutEvent> getProducedType() {
    return new AvroTypeInfo<>(RolloutEvent.class);
  }
}
