package io.millrace.pipeline.job;

import io.millrace.client.Connection;
import io.millrace.client.UnreadableRecordException;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.util.Collector;
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

  RolloutEventReader(Connection connection, boolean publications) {
    this.connection = connection;
    this.publications = publications;
  }

  @Override
  public void open(DeserializationSchema.InitializationContext context) {
    deserializer = connection.deserializer(RolloutEvent.class);
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
      if (!Arrays.equals(record.key(), event.getDomain().getBytes(StandardCharsets.UTF_8))) {
        // It may stand in another partition than the domain's others: out of their order.
        leaveOut(record, "its key is not its domain, " + event.getDomain());
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
