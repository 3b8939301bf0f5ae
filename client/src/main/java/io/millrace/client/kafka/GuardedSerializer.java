package io.millrace.client.kafka;

import org.apache.kafka.common.serialization.Serializer;

/** Any serializer of records, throwing {@link RegistryUnavailableException} where ours would. */
record GuardedSerializer(Serializer<Object> serializer) implements Serializer<Object> {
  @Override
  public byte[] serialize(String topic, Object record) {
    try {
      return serializer.serialize(topic, record);
    } catch (RuntimeException e) {
      throw RegistryUnavailableException.orElse(e);
    }
  }

  @Override
  public void close() {
    serializer.close();
  }
}
