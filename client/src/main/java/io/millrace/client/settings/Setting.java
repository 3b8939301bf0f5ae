package io.millrace.client.settings;

import io.millrace.client.process.UsageException;
import java.math.BigDecimal;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One declared setting: its key, its type with what is allowed, its default and a sentence on what
 * it does. Declare it once as a constant, where it is used.
 */
public final class Setting<T> {
  private static final Pattern DURATION = Pattern.compile("(\\d{1,12})\\s*(ms|s|m|h)");
  private static final Pattern BYTES = Pattern.compile("(\\d{1,12})\\s*(B|KiB|MiB|GiB)?");
  private static final int LONGEST_TEXT = 8192;

  private final String key;
  private final T defaultValue;
  private final String allowed;
  private final String description;
  private final Function<String, T> parser;
  private final Function<T, String> formatter;
  private final OtherSystem otherSystem;
  private final Family family;

  private Setting(
      String key,
      T defaultValue,
      String allowed,
      String description,
      Function<String, T> parser,
      Function<T, String> formatter) {
    this(key, defaultValue, allowed, description, parser, formatter, null, null);
  }

  private Setting(
      String key,
      T defaultValue,
      String allowed,
      String description,
      Function<String, T> parser,
      Function<T, String> formatter,
      OtherSystem otherSystem,
      Family family) {
    this.key = key;
    this.defaultValue = defaultValue;
    this.allowed = allowed;
    this.description = description;
    this.parser = parser;
    this.formatter = formatter;
    this.otherSystem = otherSystem;
    this.family = family;
  }

  /** A system that takes settings which are not declared here. */
  @FunctionalInterface
  public interface OtherSystem {
    /**
     * The names that it knows, without the prefix.
     *
     * @param set everything that was set, by key: a plug-in named there may know further names
     * @return empty where it may know any name
     */
    Optional<Set<String>> names(Map<String, String> set);
  }

  /**
   * All keys that begin with {@code prefix}, such as {@code kafka.}: another system's settings.
   *
   * @param prefix ends with a dot
   */
  public static Setting<String> handedOn(String prefix, OtherSystem system, String description) {
    return new Setting<>(prefix, "", "", description, text -> text, text -> text, system, null);
  }

  /** Settings whose keys hold a name that the user chooses. */
  @FunctionalInterface
  public interface Family {
    /**
     * Checks one of them.
     *
     * @param key with the prefix
     * @throws UsageException where the key is none of them, or the value not allowed
     */
    void check(String key, String value);
  }

  /**
   * All keys that begin with {@code prefix}, such as {@code domains.}, with names in them that the
   * user chooses. No environment variable can hold such a name.
   *
   * @param prefix ends with a dot
   */
  public static Setting<String> family(String prefix, Family family, String description) {
    return new Setting<>(prefix, "", "", description, text -> text, text -> text, null, family);
  }

  /** The same under another key: a member of a {@link Family} with this one's values. */
  public Setting<T> named(String other) {
    return new Setting<>(
        other, defaultValue, allowed, description, parser, formatter, otherSystem, family);
  }

  /**
   * Any text of at most {@value #LONGEST_TEXT} characters. It may be blank only where the default
   * is: elsewhere that is a variable that was forgotten.
   */
  public static Setting<String> text(String key, String defaultValue, String description) {
    int least = defaultValue.isBlank() ? 0 : 1;
    return new Setting<>(
        key, defaultValue, "", description, text -> ofLength(text, least), text -> text);
  }

  /** A whole number from {@code min} to {@code max}, both allowed. */
  public static Setting<Integer> integer(
      String key, int defaultValue, int min, int max, String description) {
    return new Setting<>(
        key,
        defaultValue,
        "a whole number from " + min + " to " + max,
        description,
        text -> within(Integer.valueOf(text), min, max),
        String::valueOf);
  }

  /** A finite number from {@code min} to {@code max}, both allowed. */
  public static Setting<Double> decimal(
      String key, double defaultValue, double min, double max, String description) {
    // BigDecimal takes what people write (0.03, 3e-2), and not NaN, 0x1p3 or 1f as Double does.
    return new Setting<>(
        key,
        defaultValue,
        "a number from " + min + " to " + max,
        description,
        text -> within(new BigDecimal(text).doubleValue(), min, max),
        String::valueOf);
  }

  /** {@code true} or {@code false}. */
  public static Setting<Boolean> flag(String key, boolean defaultValue, String description) {
    return new Setting<>(
        key,
        defaultValue,
        "true or false",
        description,
        text -> Boolean.valueOf(oneOf(text.toLowerCase(Locale.ROOT), List.of("true", "false"))),
        String::valueOf);
  }

  /**
   * A duration such as {@code 5s}, {@code 200ms}, {@code 2m}, {@code 1h} or {@code PT1.5S}, from
   * {@code min} to {@code max}, both allowed. {@code none} is zero, so it is allowed where {@code
   * min} is zero.
   */
  public static Setting<Duration> duration(
      String key, Duration defaultValue, Duration min, Duration max, String description) {
    return new Setting<>(
        key,
        defaultValue,
        "a duration such as 200ms, 5s, 2m, 1h or PT1.5S, "
            + (min.isZero()
                ? "up to " + formatDuration(max) + ", or none"
                : "from " + formatDuration(min) + " to " + formatDuration(max)),
        description,
        text -> within(parseDuration(text), min, max),
        Setting::formatDuration);
  }

  /** One of the words in {@code allowed}. */
  public static Setting<String> choice(
      String key, String defaultValue, List<String> allowed, String description) {
    List<String> words = List.copyOf(allowed);
    return new Setting<>(
        key,
        defaultValue,
        "one of " + String.join(", ", words),
        description,
        text -> oneOf(text, words),
        text -> text);
  }

  /**
   * A value with a text of its own form.
   *
   * @param allowed what a value may be, as a message says it
   * @param parser throws IllegalArgumentException where a text is not allowed
   * @param formatter its inverse
   */
  public static <T> Setting<T> ofForm(
      String key,
      T defaultValue,
      String allowed,
      Function<String, T> parser,
      Function<T, String> formatter,
      String description) {
    return new Setting<>(key, defaultValue, allowed, description, parser, formatter);
  }

  /**
   * A number of bytes: {@code 65536}, {@code 64KiB}, {@code 1MiB}, {@code 2GiB}; from {@code min}
   * to {@code max}, both allowed.
   */
  public static Setting<Long> bytes(
      String key, long defaultValue, long min, long max, String description) {
    return new Setting<>(
        key,
        defaultValue,
        "a number of bytes such as 65536, 64KiB, 1MiB or 2GiB, from "
            + formatBytes(min)
            + " to "
            + formatBytes(max),
        description,
        text -> within(parseBytes(text), min, max),
        Setting::formatBytes);
  }

  public String key() {
    return key;
  }

  public T defaultValue() {
    return defaultValue;
  }

  public String description() {
    return description;
  }

  /** What a value may be, such as {@code a whole number from 1 to 8}; empty where anything may. */
  public String allowed() {
    return allowed;
  }

  /** Empty unless it stands for another system's settings. */
  Optional<OtherSystem> otherSystem() {
    return Optional.ofNullable(otherSystem);
  }

  /** Empty unless it stands for settings with names that the user chooses. */
  Optional<Family> family() {
    return Optional.ofNullable(family);
  }

  /** Whether it stands for all settings that begin with its key. */
  boolean isPrefix() {
    return otherSystem != null || family != null;
  }

  /** {@code value} as {@link #parse} reads it. */
  String format(T value) {
    return formatter.apply(value);
  }

  /**
   * The value that a text stands for.
   *
   * @throws UsageException where {@code text} is not allowed
   */
  public T parse(String text) {
    try {
      return parser.apply(text.strip());
    } catch (IllegalArgumentException | ArithmeticException | DateTimeException e) {
      String expected =
          allowed.isEmpty()
              ? "a text of "
                  + (defaultValue.equals("") ? "at most " : "1 to ")
                  + LONGEST_TEXT
                  + " characters"
              : allowed;
      String shown = Secrets.isSecret(key) ? "its value" : quoted(text);
      throw new UsageException(key + ": " + shown + " is not " + expected, e);
    }
  }

  /** {@code text} as a message may show it: on one line, not too long. */
  public static String quoted(String text) {
    String line = text.replaceAll("[\\s\\p{Cntrl}]+", " ");
    return "'" + (line.length() <= 80 ? line : line.substring(0, 77) + "...") + "'";
  }

  private static String ofLength(String text, int least) {
    if (text.length() < least || text.length() > LONGEST_TEXT) {
      throw new IllegalArgumentException("too short or too long");
    }
    return text;
  }

  private static <N extends Comparable<N>> N within(N value, N min, N max) {
    if (value.compareTo(min) < 0 || value.compareTo(max) > 0) {
      throw new IllegalArgumentException("out of range");
    }
    return value;
  }

  private static String oneOf(String text, List<String> words) {
    if (!words.contains(text)) {
      throw new IllegalArgumentException("not among the allowed");
    }
    return text;
  }

  private static Duration parseDuration(String text) {
    if (text.equals("none")) {
      return Duration.ZERO;
    }
    Matcher matcher = DURATION.matcher(text);
    return matcher.matches()
        ? Duration.of(Long.parseLong(matcher.group(1)), unit(matcher.group(2)))
        : Duration.parse(text);
  }

  private static ChronoUnit unit(String suffix) {
    return switch (suffix) {
      case "ms" -> ChronoUnit.MILLIS;
      case "s" -> ChronoUnit.SECONDS;
      case "m" -> ChronoUnit.MINUTES;
      default -> ChronoUnit.HOURS;
    };
  }

  private static String formatDuration(Duration duration) {
    if (duration.isZero()) {
      return "none";
    }
    if (duration.getNano() % 1_000_000 != 0) {
      return duration.toString();
    }
    long millis = duration.toMillis();
    if (millis % 3_600_000 == 0) {
      return millis / 3_600_000 + "h";
    }
    if (millis % 60_000 == 0) {
      return millis / 60_000 + "m";
    }
    return millis % 1000 == 0 ? millis / 1000 + "s" : millis + "ms";
  }

  private static Long parseBytes(String text) {
    Matcher matcher = BYTES.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException("not a number of bytes");
    }
    return Math.multiplyExact(Long.parseLong(matcher.group(1)), 1L << shift(matcher.group(2)));
  }

  private static int shift(String suffix) {
    return switch (suffix == null ? "B" : suffix) {
      case "B" -> 0;
      case "KiB" -> 10;
      case "MiB" -> 20;
      default -> 30;
    };
  }

  private static String formatBytes(Long bytes) {
    for (String suffix : List.of("GiB", "MiB", "KiB")) {
      if (bytes > 0 && bytes % (1L << shift(suffix)) == 0) {
        return bytes / (1L << shift(suffix)) + suffix;
      }
    }
    return bytes.toString();
  }
}
