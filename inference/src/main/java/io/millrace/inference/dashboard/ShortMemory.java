package io.millrace.inference.dashboard;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** Remembers for less than a second what is asked for by many at once. Any thread may ask. */
final class ShortMemory<K, V> {
  private static final long NANOS = TimeUnit.MILLISECONDS.toNanos(900);
  private static final int MOST = 16;

  private record Entry<V>(V value, long at) {}

  private final Map<K, Entry<V>> entries = new LinkedHashMap<>();

  synchronized V get(K key, Supplier<V> otherwise) {
    long now = System.nanoTime();
    entries.values().removeIf(entry -> now - entry.at() > NANOS);
    Entry<V> known = entries.get(key);
    if (known != null) {
      return known.value();
    }
    V value = otherwise.get();
    if (entries.size() < MOST) {
      entries.put(key, new Entry<>(value, now));
    }
    return value;
  }
}
