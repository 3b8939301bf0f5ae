package io.millrace.inference.dashboard;

import java.util.Arrays;

/** The latest versions of a domain and when each was published, a limited number. */
final class Publications {
  static final int MOST = 128;
  private static final int FIRST = 4;

  /** In milliseconds since 1970, by Kafka's clock. */
  private long[] times = new long[FIRST];

  private long[] versions = new long[FIRST];
  private int size;

  void add(long time, long version) {
    if (size == MOST) {
      // Room for more than one: a full list is not moved with every version.
      size = MOST / 2;
      System.arraycopy(times, MOST / 2, times, 0, size);
      System.arraycopy(versions, MOST / 2, versions, 0, size);
    }
    if (size == times.length) {
      times = Arrays.copyOf(times, Math.min(MOST, size * 2));
      versions = Arrays.copyOf(versions, Math.min(MOST, size * 2));
    }
    times[size] = time;
    versions[size] = version;
    size++;
  }

  int size() {
    return size;
  }

  long time(int i) {
    return times[i];
  }

  long version(int i) {
    return versions[i];
  }
}
