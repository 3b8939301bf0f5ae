package io.millrace.client.kafka;

import io.millrace.client.process.Failures;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Any deserializer of records, held to one type of record and to the two exceptions that ours
 * throws.
 */
record GuardedDeserializer<T>(Deserializer<Object> deserializer, Class<T> type)
    implements Deserializer<T> {
  @Override
  public T deserialize(String topic, byte[] bytes) {
    Object record = read(topic, bytes);
    if (record != null && !type.isInstance(record)) {
      throw new UnreadableRecordException(
          "a " + record.getClass().getSimpleName() + " instead of a " + type.getSimpleName());
    }
    return type.cast(record);
  }

  private Object read(String topic, byte[] bytes) {
    try {
      return deserializer.deserialize(topic, bytes);
    } catch (UnreadableRecordException e) {
      throw e;
    } catch (RuntimeException e) {
      RuntimeException failure = RegistryUnavailableException.orElse(e);
      throw failure instanceof RegistryUnavailableException
          ? failure
          : new UnreadableRecordException(Failures.describe(e), e);
    }
  }

  @Override
  public void close() {
    deserializer.close();
  }
}
