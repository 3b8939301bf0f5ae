package io.millrace.pipeline.input;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.operators.gate.ExampleRules;
import java.util.List;

/**
 * How large a line of a file may be, and the example in it.
 *
 * @param lineBytes of a line, without its end
 * @param example of the example's fields
 */
public record ExampleLimits(int lineBytes, ExampleRules.Limits example) {
  public static final Setting<Long> TEXT_BYTES =
      Setting.bytes(
          "limits.textBytes",
          ExampleRules.Limits.DEFAULT.textBytes(),
          "The longest text of an example, in UTF-8; a longer one is a dead letter.");

  public static final Setting<Long> LABEL_BYTES =
      Setting.bytes(
          "limits.labelBytes",
          ExampleRules.Limits.DEFAULT.labelBytes(),
          "The longest label of an example, in UTF-8.");

  public static final Setting<Long> DOMAIN_BYTES =
      Setting.bytes(
          "limits.domainBytes",
          ExampleRules.Limits.DEFAULT.domainBytes(),
          "The longest name of a domain, in UTF-8.");

  /** Its default leaves room for headers below the 1 MiB that Kafka takes by default. */
  public static final Setting<Long> LINE_BYTES =
      Setting.bytes(
          "limits.lineBytes",
          512 * 1024,
          "The longest line of a file; of a longer one, the dead letter holds this much.");

  /** What a process that reads files declares among its settings. */
  public static final List<Setting<?>> SETTINGS =
      List.of(TEXT_BYTES, LABEL_BYTES, DOMAIN_BYTES, LINE_BYTES);

  private static final long LONGEST_LINE = 32 * 1024 * 1024;

  /**
   * As {@code settings}, which declare {@link #SETTINGS}, say.
   *
   * @throws UsageException where a line may be empty or longer than Kafka takes
   */
  public static ExampleLimits of(Settings settings) {
    long lineBytes = settings.get(LINE_BYTES);
    if (lineBytes < 1 || lineBytes > LONGEST_LINE) {
      throw new UsageException(
          "%s: '%d' is not from 1 to %d".formatted(LINE_BYTES.key(), lineBytes, LONGEST_LINE));
    }
    return new ExampleLimits((int) lineBytes, example(settings));
  }

  /** The example's part alone, for those who read records and no file. */
  public static ExampleRules.Limits example(Settings settings) {
    return new ExampleRules.Limits(
        settings.get(TEXT_BYTES), settings.get(LABEL_BYTES), settings.get(DOMAIN_BYTES));
  }
}
