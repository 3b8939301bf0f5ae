package io.millrace.pipeline.input;

import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.operators.gate.ExampleRules;
import java.util.List;

/**
 * How large a line of a file may be, and the example in it.
 *
 * @param lineBytes of a line, without its end
 * @param scalarLabels whether a whole number, true or false is a label, as its text
 * @param example of the example's fields
 */
public record ExampleLimits(int lineBytes, boolean scalarLabels, ExampleRules.Limits example) {
  private static final String STRINGS = "strings";
  private static final String SCALARS = "scalars";

  public static final Setting<String> LABELS =
      Setting.choice(
          "input.labels",
          STRINGS,
          List.of(STRINGS, SCALARS),
          "What may be a label in a file: strings, or also whole numbers, true and false, taken as"
              + " their text.");

  public static final Setting<Long> TEXT_BYTES =
      Setting.bytes(
          "limits.textBytes",
          ExampleRules.Limits.DEFAULT.textBytes(),
          1,
          16 << 20,
          "The longest text of an example, in UTF-8; a longer one is a dead letter.");

  public static final Setting<Long> LABEL_BYTES =
      Setting.bytes(
          "limits.labelBytes",
          ExampleRules.Limits.DEFAULT.labelBytes(),
          1,
          64 << 10,
          "The longest label of an example, in UTF-8.");

  public static final Setting<Long> DOMAIN_BYTES =
      Setting.bytes(
          "limits.domainBytes",
          ExampleRules.Limits.DEFAULT.domainBytes(),
          1,
          4 << 10,
          "The longest name of a domain, in UTF-8.");

  public static final Setting<Long> METADATA_BYTES =
      Setting.bytes(
          "limits.metadataBytes",
          ExampleRules.Limits.DEFAULT.metadataBytes(),
          0,
          16 << 20,
          "The longest id and metadata of an example together, in UTF-8.");

  public static final Setting<Double> WEIGHT =
      Setting.decimal(
          "limits.weight",
          ExampleRules.Limits.DEFAULT.weight(),
          1,
          1e6,
          "The largest weight of an example: with a larger one, the others of its batch would hardly"
              + " count.");

  /** Its default leaves room for headers below the 1 MiB that Kafka takes by default. */
  public static final Setting<Long> LINE_BYTES =
      Setting.bytes(
          "limits.lineBytes",
          512 * 1024,
          1,
          32 << 20,
          "The longest line of a file; of a longer one, the dead letter holds this much.");

  /** What a process that reads files declares among its settings. */
  public static final List<Setting<?>> SETTINGS =
      List.of(TEXT_BYTES, LABEL_BYTES, DOMAIN_BYTES, METADATA_BYTES, WEIGHT, LINE_BYTES, LABELS);

  /** As {@code settings}, which declare {@link #SETTINGS}, say. */
  public static ExampleLimits of(Settings settings) {
    return new ExampleLimits(
        Math.toIntExact(settings.get(LINE_BYTES)),
        settings.get(LABELS).equals(SCALARS),
        example(settings));
  }

  /** The example's part alone, for those who read records and no file. */
  public static ExampleRules.Limits example(Settings settings) {
    return new ExampleRules.Limits(
        settings.get(TEXT_BYTES),
        settings.get(LABEL_BYTES),
        settings.get(DOMAIN_BYTES),
        settings.get(METADATA_BYTES),
        settings.get(WEIGHT));
  }
}
