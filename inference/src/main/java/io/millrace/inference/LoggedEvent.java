package io.millrace.inference;

import io.millrace.schemas.RolloutEvent;
import java.time.Instant;

/**
 * An event of {@code rollouts} and where it stands.
 *
 * @param time Kafka's, of the record
 */
record LoggedEvent(int partition, long offset, Instant time, RolloutEvent event) {}
