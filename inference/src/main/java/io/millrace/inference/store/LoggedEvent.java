package io.millrace.inference.store;

import io.millrace.schemas.RolloutEvent;
import java.time.Instant;

/**
 * An event of {@code rollouts} and where it stands.
 *
 * @param time Kafka's, of the record
 */
public record LoggedEvent(int partition, long offset, Instant time, RolloutEvent event) {}
