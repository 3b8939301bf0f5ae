package io.millrace.inference.log;

import io.millrace.inference.store.StreamOffset;
import io.millrace.inference.store.TopicIdentity;
import java.time.Instant;
import java.util.Map;

/** What becomes of a topic's records here, and how far they have become it. One thread calls. */
interface TopicIntake<T> {
  /** The topic. */
  String topic();

  /** Of its values. */
  Class<T> type();

  /** Whether the store holds records of another topic than this one. */
  boolean holdsAnotherThan(TopicIdentity topic);

  /** Sees to it that the store holds records of this topic and no other. */
  void begin(TopicIdentity topic);

  /** The topic has that many partitions. */
  default void partitions(int count) {}

  /** Per partition, the next offset to read; what was not flushed may have to be read again. */
  Map<Integer, Long> offsets();

  /**
   * A record.
   *
   * @param value null for a tombstone
   * @param after the offset after it
   * @param time Kafka's, of the record
   */
  void record(byte[] key, T value, StreamOffset after, Instant time);

  /** A record that nobody can read. */
  void unreadable(String reason, StreamOffset after);

  /** The records at hand are all taken: what they change takes effect. */
  void flush();
}
