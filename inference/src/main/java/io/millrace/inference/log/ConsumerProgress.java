package io.millrace.inference.log;

import io.millrace.schemas.Topics;
import java.util.List;

/**
 * How far the consumers are.
 *
 * @param unread topics of which they have not once reached the end that was there at the start
 * @param problem what keeps one of them from reading, in one line; null where nothing does
 * @param partitions where they stand in each
 * @param unreadable records that could not be read since the start
 * @param lastUnreadable where the last of those stands and what is wrong with it; null before
 */
public record ConsumerProgress(
    List<String> unread,
    String problem,
    List<Partition> partitions,
    long unreadable,
    String lastUnreadable) {

  /**
   * @param position the next offset to read
   * @param lag offsets between there and the end; null where it is not known
   */
  public record Partition(String topic, int partition, long position, Long lag) {}

  static final ConsumerProgress NOT_STARTED =
      new ConsumerProgress(List.of(Topics.ADAPTERS, Topics.ROLLOUTS), null, List.of(), 0, null);

  /** Whether everything is read that was there at the start. */
  public boolean caughtUp() {
    return unread.isEmpty();
  }
}
