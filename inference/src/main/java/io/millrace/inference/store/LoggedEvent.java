package io.millrace.inference.store;

import io.millrace.schemas.RolloutEvent;
import java.time.Instant;

/**
 * An event of {@code rollouts}, with its place in the topic.
 *
 * @param time the timestamp that Kafka has for the record
 */
public record LoggedEvent(int partition, long offset, Instant time, RolloutEvent event) {
  /** Its place in the topic. */
  public LogPlace place() {
    return new LogPlace(partition, offset);
  }
}
