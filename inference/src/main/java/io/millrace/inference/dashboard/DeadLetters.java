package io.millrace.inference.dashboard;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.millrace.inference.log.ReadStart;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.Topics;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;

/** The latest dead letters, and how many there were of each reason. Any thread may look. */
final class DeadLetters extends MemoryIntake<byte[]> {
  /** Letters that are kept with their text. */
  static final int MOST = 200;

  private static final int MOST_REASONS = 64;
  private static final int MOST_TEXT = 600;
  private static final int MOST_REASON = 100;

  /** Read back of each partition, to count them. */
  private static final long MOST_COUNTED = 1000;

  /**
   * A record that was not taken.
   *
   * @param domain its key, which should be a domain; null where it has none
   * @param reason the short name of what is wrong
   * @param message what is wrong
   * @param from where it came from
   * @param text the record's beginning, as text; dots for what is none
   */
  record Letter(
      Instant time, String domain, String reason, String message, String from, String text) {}

  private final Deque<Letter> latest = new ArrayDeque<>();
  private final Map<String, Long> counts = new TreeMap<>();

  DeadLetters() {
    super(Topics.DEAD_LETTERS, byte[].class, new AtomicReference<>());
  }

  @Override
  public ReadStart start() {
    return new ReadStart.Last(MOST_COUNTED);
  }

  @Override
  public void record(byte[] key, byte[] value, StreamOffset after, Instant time) {
    record(key, value, name -> null, after, time);
  }

  @Override
  public synchronized void record(
      byte[] key, byte[] value, UnaryOperator<String> header, StreamOffset after, Instant time) {
    String reason =
        Shortened.text(or(header.apply(Topics.DEAD_LETTER_ERROR_CLASS), "Unknown"), MOST_REASON);
    if (counts.containsKey(reason) || counts.size() < MOST_REASONS) {
      counts.merge(reason, 1L, Long::sum);
    }
    if (latest.size() == MOST) {
      latest.removeLast();
    }
    latest.addFirst(
        new Letter(
            time,
            key == null ? null : text(key),
            reason,
            Shortened.text(or(header.apply(Topics.DEAD_LETTER_ERROR_MESSAGE), ""), MOST_TEXT),
            Shortened.text(from(header), MOST_TEXT),
            value == null ? "" : text(value)));
    read(after);
  }

  private static String from(UnaryOperator<String> header) {
    String file = header.apply(Topics.DEAD_LETTER_FILE);
    return file != null
        ? "%s, line %s".formatted(file, header.apply(Topics.DEAD_LETTER_LINE))
        : "%s-%s, offset %s"
            .formatted(
                or(header.apply(Topics.DEAD_LETTER_TOPIC), "?"),
                or(header.apply(Topics.DEAD_LETTER_PARTITION), "?"),
                or(header.apply(Topics.DEAD_LETTER_OFFSET), "?"));
  }

  private static String or(String text, String otherwise) {
    return text == null ? otherwise : text;
  }

  /** Records of another format are mostly text too; what is none is shown as a dot. */
  private static String text(byte[] bytes) {
    int length = Math.min(bytes.length, 4 * MOST_TEXT);
    StringBuilder shown = new StringBuilder();
    String text = new String(bytes, 0, length, UTF_8);
    text.codePoints()
        .limit(MOST_TEXT)
        .forEach(
            c -> {
              if (Character.isISOControl(c) && c != '\n' && c != '\t' || c == 0xFFFD) {
                shown.append('·');
              } else {
                shown.appendCodePoint(c);
              }
            });
    return bytes.length > length || text.length() > MOST_TEXT ? shown + "…" : shown.toString();
  }

  @Override
  synchronized void forget() {
    latest.clear();
    counts.clear();
  }

  /** The latest ones, newest first. */
  synchronized List<Letter> latest() {
    return new ArrayList<>(latest);
  }

  /** By reason, of those that were read. */
  synchronized Map<String, Long> counts() {
    return new TreeMap<>(counts);
  }
}
