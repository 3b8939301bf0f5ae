package io.millrace.inference.log;

import io.millrace.client.kafka.Connection;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * A topic that a {@link TopicReader} reads: its intake, its deserializer, and whether it was read
 * to the end it had at the start. Confined to one thread.
 *
 * @param <T> type of its values; {@code byte[]} for what is to be taken as it is
 */
final class FollowedTopic<T> {
  private final TopicIntake<T> intake;
  private final Deserializer<T> deserializer;

  /** The end of each partition at the start; null where it is not known yet. */
  private Map<TopicPartition, Long> endAtStart;

  private boolean reachedEnd;

  FollowedTopic(TopicIntake<T> intake, Connection connection) {
    this.intake = intake;
    this.deserializer = deserializer(intake.type(), connection);
  }

  @SuppressWarnings("unchecked")
  private static <T> Deserializer<T> deserializer(Class<T> type, Connection connection) {
    return type == byte[].class
        ? (Deserializer<T>) new ByteArrayDeserializer()
        : connection.deserializer(type);
  }

  TopicIntake<T> intake() {
    return intake;
  }

  Deserializer<T> deserializer() {
    return deserializer;
  }

  String name() {
    return intake.topic();
  }

  /** Those of the partitions that belong to this topic. */
  Set<TopicPartition> among(Collection<TopicPartition> partitions) {
    return partitions.stream()
        .filter(partition -> partition.topic().equals(name()))
        .collect(Collectors.toSet());
  }

  /** Whether the end at the start is known. */
  boolean knowsEnd() {
    return endAtStart != null;
  }

  void setEnd(Map<TopicPartition, Long> atStart) {
    endAtStart = atStart;
  }

  /** Forgets the end: another topic has taken the place of this one. */
  void forgetEnd() {
    endAtStart = null;
    reachedEnd = false;
  }

  /**
   * Records how far it was read. An end that was reached once stays reached.
   *
   * @param positions the next offset to read, per assigned partition
   */
  void readTo(Map<TopicPartition, Long> positions) {
    if (endAtStart != null
        && positions.entrySet().stream()
            .allMatch(at -> at.getValue() >= endAtStart.getOrDefault(at.getKey(), 0L))) {
      reachedEnd = true;
    }
  }

  /** Whether it was read to the end it had at the start. */
  boolean reachedEnd() {
    return reachedEnd;
  }
}
