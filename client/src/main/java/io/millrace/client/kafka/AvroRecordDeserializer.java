package io.millrace.client.kafka;

import static java.util.stream.Collectors.toMap;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingSnapshot;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.registry.SchemaRegistry;
import io.millrace.schemas.registry.WireFormat;
import java.io.IOException;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Reads Millrace's records from Confluent's wire format, whichever version of their schema they
 * were written with, into the generated classes. In the topic of examples, records of other names
 * are read by their structure: see {@link ForeignExample}. Safe for several threads once
 * configured, with {@code schema.registry.url}.
 */
public final class AvroRecordDeserializer implements Deserializer<Object> {
  private static final Map<String, Class<? extends SpecificRecord>> RECORDS =
      Stream.of(
              LabeledExample.class,
              AdapterVersion.class,
              TrainingStep.class,
              TrainingSnapshot.class,
              RolloutEvent.class,
              DomainProgress.class)
          .collect(toMap(Class::getName, type -> type));

  private final Map<String, Class<? extends SpecificRecord>> types;
  private SchemaRegistry registry;

  /** Reads each record into its own class. */
  public AvroRecordDeserializer() {
    this(RECORDS);
  }

  private AvroRecordDeserializer(Map<String, Class<? extends SpecificRecord>> types) {
    this.types = types;
  }

  /**
   * Reads of each {@link AdapterVersion} its number and hash alone. Avro's schema resolution skips
   * all other fields, the payload among them.
   */
  static AvroRecordDeserializer ofVersionRefs() {
    return new AvroRecordDeserializer(Map.of(AdapterVersion.class.getName(), VersionRef.class));
  }

  @Override
  public void configure(Map<String, ?> configuration, boolean isKey) {
    registry = Connection.registry(configuration);
  }

  /**
   * @return the record, or null for null
   * @throws RegistryUnavailableException where the registry did not answer
   * @throws UnreadableRecordException where the bytes are none of Millrace's records
   */
  @Override
  public Object deserialize(String topic, byte[] bytes) {
    if (bytes == null) {
      return null;
    }
    try {
      int id = WireFormat.schemaId(bytes);
      Schema writer = registry.schema(id).orElse(null);
      if (writer == null) {
        throw new UnreadableRecordException("the schema registry knows no schema " + id);
      }
      Class<? extends SpecificRecord> type = types.get(writer.getFullName());
      if (isForeignExample(topic, writer, type)) {
        return ForeignExample.read(WireFormat.decode(bytes, writer));
      }
      if (type == null) {
        throw new UnreadableRecordException(
            "schema "
                + id
                + " describes a "
                + writer.getFullName()
                + ", not a record that is read here");
      }
      return WireFormat.decode(bytes, writer, type);
    } catch (IOException e) {
      throw new RegistryUnavailableException(e.getMessage(), e);
    } catch (AvroRuntimeException e) {
      throw new UnreadableRecordException(e.getMessage(), e);
    }
  }

  /**
   * Whether a record is an example by its structure alone: in the topic of examples a record of a
   * name that is not ours, or of an example's name whose time is in another unit.
   */
  private static boolean isForeignExample(
      String topic, Schema writer, Class<? extends SpecificRecord> type) {
    if (writer.getType() != Schema.Type.RECORD) {
      return false;
    }
    return type == null
        ? Topics.LABELED_EXAMPLES.equals(topic)
        : type == LabeledExample.class
            && !WireFormat.hasSameUnits(writer, LabeledExample.getClassSchema());
  }
}
