package io.millrace.pipeline.input;

import java.util.SortedMap;
import java.util.StringJoiner;
import java.util.TreeMap;

/**
 * How much of a file is in Kafka, committed.
 *
 * @param lines read so far, blank ones among them
 * @param bytes these lines took
 * @param examples sent
 * @param deadLettersByClass bad lines by what was wrong with them
 * @param complete whether that was the whole file
 */
public record Sent(
    long lines,
    long bytes,
    long examples,
    SortedMap<String, Long> deadLettersByClass,
    boolean complete) {
  static final Sent NOTHING = new Sent(0, 0, 0, new TreeMap<>(), false);

  private static final String DEAD = "dead.";

  /** How many lines were bad. */
  public long deadLetters() {
    return deadLettersByClass.values().stream().mapToLong(Long::longValue).sum();
  }

  /** As text that {@link #decode} reads. */
  String encode() {
    StringJoiner text = new StringJoiner(" ");
    text.add("lines=" + lines);
    text.add("bytes=" + bytes);
    text.add("examples=" + examples);
    text.add("complete=" + complete);
    deadLettersByClass.forEach((errorClass, count) -> text.add(DEAD + errorClass + "=" + count));
    return text.toString();
  }

  /**
   * @throws IllegalArgumentException where {@link #encode} did not write this
   */
  static Sent decode(String text) {
    SortedMap<String, String> values = new TreeMap<>();
    for (String pair : text.split(" ")) {
      int equals = pair.indexOf('=');
      if (equals < 0) {
        throw new IllegalArgumentException("no progress of a file: " + text);
      }
      values.put(pair.substring(0, equals), pair.substring(equals + 1));
    }
    SortedMap<String, Long> dead = new TreeMap<>();
    // '/' follows '.': every key that begins with the prefix lies between.
    values
        .subMap(DEAD, DEAD.replace('.', '/'))
        .forEach((key, count) -> dead.put(key.substring(DEAD.length()), Long.valueOf(count)));
    return new Sent(
        Long.parseLong(values.getOrDefault("lines", "")),
        Long.parseLong(values.getOrDefault("bytes", "")),
        Long.parseLong(values.getOrDefault("examples", "")),
        dead,
        Boolean.parseBoolean(values.get("complete")));
  }
}
