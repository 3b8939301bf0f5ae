package io.millrace.inference.log;

import java.time.Instant;
import java.util.List;

/**
 * How far the consumers have read.
 *
 * @param unread topics that were not yet read to the end they had at the start
 * @param problem what stops one of the consumers, in one line; null where nothing does
 * @param partitions the position in each partition
 * @param unreadable number of records that could not be read since the start
 * @param lastUnreadable topic, partition, offset and fault of the last of those; null where there
 *     was none
 */
public record ConsumerProgress(
    List<String> unread,
    String problem,
    List<Partition> partitions,
    long unreadable,
    String lastUnreadable) {

  /**
   * @param position the next offset to read
   * @param lag number of offsets from there to the end; null where it is unknown
   * @param readUpTo a time before which no record is left to read: when it was last read to its
   *     end, or Kafka's time of the last record read
   */
  public record Partition(String topic, int partition, long position, Long lag, Instant readUpTo) {}

  /** Whether every topic was read to the end it had at the start. */
  public boolean caughtUp() {
    return unread.isEmpty();
  }
}
