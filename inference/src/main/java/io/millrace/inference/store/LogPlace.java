package io.millrace.inference.store;

import java.util.Comparator;

/** The place of a record in a topic. The events of a domain are in the order of their places. */
public record LogPlace(int partition, long offset) implements Comparable<LogPlace> {
  private static final Comparator<LogPlace> ORDER =
      Comparator.comparingInt(LogPlace::partition).thenComparingLong(LogPlace::offset);

  /** Before the places of all records. */
  public static final LogPlace BEGINNING = new LogPlace(0, -1);

  @Override
  public int compareTo(LogPlace other) {
    return ORDER.compare(this, other);
  }
}
