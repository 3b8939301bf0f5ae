package io.millrace.pipeline.replay;

import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Examples that a topic does not hold any more.
 *
 * @param offsets by partition
 */
public record MissingExamples(String topic, SortedMap<Integer, TreeSet<Long>> offsets) {
  static MissingExamples of(String topic, int partition, long offset) {
    SortedMap<Integer, TreeSet<Long>> offsets = new TreeMap<>();
    offsets.put(partition, new TreeSet<>(List.of(offset)));
    return new MissingExamples(topic, offsets);
  }

  /** Their number. */
  public long count() {
    return offsets.values().stream().mapToLong(TreeSet::size).sum();
  }

  /** One line for each partition: {@code labeled-examples-2: offsets 0 to 311, 400}. */
  public List<String> lines() {
    List<String> lines = new ArrayList<>();
    offsets.forEach(
        (partition, missing) ->
            lines.add("%s-%d: offsets %s".formatted(topic, partition, ranges(missing))));
    return lines;
  }

  private static String ranges(TreeSet<Long> offsets) {
    StringBuilder text = new StringBuilder();
    Long first = null;
    Long last = null;
    for (Long offset : offsets) {
      if (last == null || offset != last + 1) {
        append(text, first, last);
        first = offset;
      }
      last = offset;
    }
    append(text, first, last);
    return text.toString();
  }

  private static void append(StringBuilder text, Long first, Long last) {
    if (first != null) {
      text.append(text.isEmpty() ? "" : ", ").append(first);
      text.append(first.equals(last) ? "" : " to " + last);
    }
  }
}
