package io.millrace.inference.log;

import io.millrace.inference.store.StreamOffset;
import io.millrace.inference.store.TopicIdentity;
import java.time.Instant;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Takes the records of a topic and knows how far they are stored. Confined to one thread. */
public interface TopicIntake<T> {
  /** The name of the topic. */
  String topic();

  /** The type of its values. */
  Class<T> type();

  /** Whether the store holds records of another topic of this name. */
  boolean holdsAnotherThan(TopicIdentity topic);

  /** Empties the store of the records of another topic of this name, if there are any. */
  void begin(TopicIdentity topic);

  /** The topic has this number of partitions. */
  default void partitions(int count) {}

  /** Per partition, the next offset to read. Records that were not flushed may be read again. */
  Map<Integer, Long> offsets();

  /** Where to begin in a partition for which there is no offset. */
  default ReadStart start() {
    return ReadStart.BEGINNING;
  }

  /**
   * Takes a record.
   *
   * @param value null for a tombstone
   * @param after the offset after the record
   * @param time the timestamp that Kafka has for it
   */
  void record(byte[] key, T value, StreamOffset after, Instant time);

  /**
   * Takes a record of a topic whose headers say something.
   *
   * @param header the text of the header with a name; null where there is none
   */
  default void record(
      byte[] key, T value, UnaryOperator<String> header, StreamOffset after, Instant time) {
    record(key, value, after, time);
  }

  /** Skips a record that cannot be read. */
  void unreadable(String reason, StreamOffset after);

  /** Lets the records take effect that were taken since the last call. */
  void flush();
}
