package io.millrace.inference;

import java.util.List;

/**
 * How far the consumer is.
 *
 * @param caughtUp whether it has once reached the end that {@code adapters} had at the start
 * @param problem what keeps it from reading, in one line; null where nothing does
 * @param partitions where it stands in each
 * @param unreadable records it could not read since the start
 * @param lastUnreadable where the last of those stands and what is wrong with it; null before
 */
record ConsumerProgress(
    boolean caughtUp,
    String problem,
    List<Partition> partitions,
    long unreadable,
    String lastUnreadable) {

  /**
   * @param position the next offset to read
   * @param lag offsets between there and the end; null where it is not known
   */
  record Partition(int partition, long position, Long lag) {}

  static final ConsumerProgress NOT_STARTED = new ConsumerProgress(false, null, List.of(), 0, null);
}
