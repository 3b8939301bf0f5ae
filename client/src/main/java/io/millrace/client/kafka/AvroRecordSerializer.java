package io.millrace.client.kafka;

import io.millrace.schemas.registry.SchemaRefusedException;
import io.millrace.schemas.registry.SchemaRegistry;
import io.millrace.schemas.registry.WireFormat;
import java.io.IOException;
import java.util.Map;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Serializer;

/**
 * Writes Millrace's records in Confluent's wire format; the schema goes to the registry under
 * {@code <topic>-value}. Safe for several threads once configured, with {@code
 * schema.registry.url}.
 */
public final class AvroRecordSerializer implements Serializer<Object> {
  private SchemaRegistry registry;

  @Override
  public void configure(Map<String, ?> configuration, boolean isKey) {
    registry = Connection.registry(configuration);
  }

  /**
   * @return the bytes, or null for null
   * @throws RegistryUnavailableException where the registry did not answer
   * @throws SerializationException where the record cannot be written, or the registry refuses its
   *     schema
   */
  @Override
  public byte[] serialize(String topic, Object record) {
    if (record == null) {
      return null;
    }
    if (!(record instanceof SpecificRecord avro)) {
      throw new SerializationException(record.getClass().getName() + " is not an Avro record");
    }
    try {
      return WireFormat.encode(registry.idOf(topic + "-value", avro.getSchema()), avro);
    } catch (IOException e) {
      throw new RegistryUnavailableException(e.getMessage(), e);
    } catch (AvroRuntimeException | SchemaRefusedException e) {
      throw new SerializationException(e.getMessage(), e);
    }
  }
}
