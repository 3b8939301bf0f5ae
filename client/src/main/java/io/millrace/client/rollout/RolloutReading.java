package io.millrace.client.rollout;

import io.millrace.client.kafka.DomainPartition;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.schemas.RolloutEvent;

/**
 * Decides which records of the topic {@code rollouts} count. Every reader of that topic (serving,
 * the job, the command line) asks here, so that all of them fold the same events to the same state.
 *
 * <p>The rule, with {@link RolloutKind} for the isolation level of each kind:
 *
 * <ul>
 *   <li>A record without a value, or with one that cannot be read, is left out.
 *   <li>So is an event outside the partition of its domain: it would have no place in the order of
 *       the domain's other events.
 *   <li>A reader of one kind passes over the events of the other kind.
 *   <li>Everything else counts, in the order of the partition.
 * </ul>
 *
 * @param kind what this reader reads
 * @param partitions number of partitions of the topic
 */
public record RolloutReading(RolloutKind kind, int partitions) {
  /** What a record is to the reader. */
  public sealed interface Outcome {}

  /** An event of this reader's kind. */
  public record Counts(RolloutEvent event) implements Outcome {}

  /** An event that the reader of the other kind takes. */
  public record OfTheOtherKind(RolloutEvent event) implements Outcome {}

  /**
   * A record that has no effect for any reader.
   *
   * @param reason one line
   */
  public record LeftOut(String reason) implements Outcome {}

  /**
   * Judges a record whose value was read.
   *
   * @param partition where the record is
   * @param event its value; null where it has none
   */
  public Outcome read(int partition, RolloutEvent event) {
    if (event == null) {
      return new LeftOut("it has no value");
    }
    int due = DomainPartition.of(event.getDomain(), partitions);
    if (due != partition) {
      return new LeftOut(
          "it is of domain %s, whose partition is %d: its key is not that domain, or its writer"
                  .formatted(event.getDomain(), due)
              + " chooses partitions otherwise than Kafka's own");
    }
    return kind.includes(event.getAction()) ? new Counts(event) : new OfTheOtherKind(event);
  }

  /** Judges a record whose value cannot be read. */
  public static Outcome unreadable(UnreadableRecordException failure) {
    return new LeftOut(failure.getMessage());
  }
}
