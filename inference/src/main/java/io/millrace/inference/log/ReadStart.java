package io.millrace.inference.log;

import java.time.Duration;

/** Where the reading of a partition begins. */
public sealed interface ReadStart {
  /** With the first record that there is. */
  ReadStart BEGINNING = new Beginning();

  /** With the first record that there is. */
  record Beginning() implements ReadStart {}

  /** With the first record that is no older than this, by Kafka's time. */
  record NoOlderThan(Duration age) implements ReadStart {}

  /** With the last so many offsets. */
  record Last(long offsets) implements ReadStart {}
}
