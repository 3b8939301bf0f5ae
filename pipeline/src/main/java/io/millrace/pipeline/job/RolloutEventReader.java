package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.DomainPartition;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
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

/**
 * Reads one of the two kinds of records of {@code rollouts}: publications, or everything else. One
 * that cannot be read has no effect, here as for every reader of that log.
 */
final class RolloutEventReader implements KafkaRecordDeserializationSchema<RolloutEvent> {
  private static final long serialVersionUID = 1;
  private static final Logger LOG = LoggerFactory.getLogger(RolloutEventReader.class);

  private final Connection connection;
  private final boolean publications;
  private transient Deserializer<RolloutEvent> deserializer;
  private transient int partitions;

  RolloutEventReader(Connection connection, boolean publications) {
    this.connection = connection;
    this.publications = publications;
  }

  @Override
  public void open(DeserializationSchema.InitializationContext context) throws Exception {
    deserializer = connection.deserializer(RolloutEvent.class);
    try (Admin admin = Admin.create(connection.properties())) {
      partitions =
          admin
              .describeTopics(List.of(Topics.ROLLOUTS))
              .allTopicNames()
              .get()
              .get(Topics.ROLLOUTS)
              .partitions()
              .size();
    }
  }

  @Override
  public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<RolloutEvent> out)
      throws IOException {
    if (record.value() == null) {
      return;
    }
    try {
      RolloutEvent event =
          RegistryPatience.patiently(
              () -> deserializer.deserialize(record.topic(), record.value()));
      if (record.partition() != DomainPartition.of(event.getDomain(), partitions)) {
        // Out of the order of the domain's others: every reader leaves it out.
        leaveOut(record, "it is not in the partition of its domain, " + event.getDomain());
      } else if ((event.getAction() == RolloutAction.PUBLISHED) == publications) {
        out.collect(event);
      }
    } catch (UnreadableRecordException e) {
      leaveOut(record, e.getMessage());
    }
  }

  private static void leaveOut(ConsumerRecord<byte[], byte[]> record, String why) {
    LOG.warn(
        "{}-{} at offset {} is no rollout event and has no effect: {}",
        record.topic(),
        record.partition(),
        record.offset(),
        why);
  }

  @Override
  public TypeInformation<RolloutEvent> getProducedType() {
    return new AvroTypeInfo<>(RolloutEvent.class);
  }
}
