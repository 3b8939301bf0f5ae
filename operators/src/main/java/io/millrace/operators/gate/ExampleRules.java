package io.millrace.operators.gate;

import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.RecordError;
import java.io.Serializable;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The rules that a labeled example must meet to be trained on. The same rules hold for a line of a
 * file and for a record of the topic, whichever client wrote it.
 *
 * <p>An error has one of these classes, where {@code X} is Domain, Text or Label: {@code MissingX},
 * {@code BlankX}, {@code XTooLarge}, {@code NulCharacter}, {@code LoneSurrogate}, {@code
 * BadWeight}. Where several apply, the first one found is reported. The fields are checked in the
 * order domain, text, label, id, metadata, weight.
 */
public final class ExampleRules implements Serializable {
  private static final long serialVersionUID = 1L;

  private final Limits limits;

  /**
   * The largest sizes allowed, each in bytes of UTF-8.
   *
   * @param textBytes of the text
   * @param labelBytes of the label
   * @param domainBytes of the domain, which is also part of the adapter's key
   */
  public record Limits(long textBytes, long labelBytes, long domainBytes) implements Serializable {
    /** 64 KiB of text, 1 KiB of label, 256 bytes of domain. */
    public static final Limits DEFAULT = new Limits(64 * 1024, 1024, 256);
  }

  public ExampleRules(Limits limits) {
    this.limits = limits;
  }

  /** The first rule that {@code example} breaks; empty where it can be trained on. */
  public Optional<RecordError> check(LabeledExample example) {
    return required("Domain", example.getDomain(), limits.domainBytes())
        .or(() -> required("Text", example.getText(), limits.textBytes()))
        .or(() -> required("Label", example.getLabel(), limits.labelBytes()))
        .or(() -> wellFormed("id", example.getId()))
        .or(() -> metadata(example.getMetadata()))
        .or(() -> weight(example.getWeight()));
  }

  private static Optional<RecordError> required(String field, String value, long limit) {
    String name = field.toLowerCase(Locale.ROOT);
    if (value == null) {
      return error("Missing" + field, name + " is missing");
    }
    if (value.isBlank()) {
      return error("Blank" + field, name + " is blank");
    }
    Optional<RecordError> malformed = wellFormed(name, value);
    if (malformed.isPresent()) {
      return malformed;
    }
    long bytes = utf8Length(value);
    if (bytes > limit) {
      return error(
          field + "TooLarge",
          "%s is %d bytes long in UTF-8; limits.%sBytes allows %d"
              .formatted(name, bytes, name, limit));
    }
    return Optional.empty();
  }

  private static Optional<RecordError> metadata(Map<String, String> metadata) {
    if (metadata == null) {
      return Optional.empty();
    }
    return metadata.entrySet().stream()
        .flatMap(
            entry ->
                wellFormed("a metadata key", entry.getKey())
                    .or(() -> wellFormed("a metadata value", entry.getValue()))
                    .stream())
        .findFirst();
  }

  private static Optional<RecordError> weight(float weight) {
    return weight > 0 && Float.isFinite(weight)
        ? Optional.empty()
        : error("BadWeight", "weight is " + weight + ", not a positive finite number");
  }

  /**
   * Refuses NUL, which ends strings in many readers, and lone surrogates, which have no UTF-8
   * encoding: Java would replace them by question marks.
   */
  private static Optional<RecordError> wellFormed(String name, String value) {
    if (value == null) {
      return Optional.empty();
    }
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if (c == 0) {
        return error("NulCharacter", "%s holds a NUL character at position %d".formatted(name, i));
      }
      if (Character.isHighSurrogate(c)
          && i + 1 < value.length()
          && Character.isLowSurrogate(value.charAt(i + 1))) {
        i++;
      } else if (Character.isSurrogate(c)) {
        return error(
            "LoneSurrogate",
            "%s holds half of a surrogate pair, U+%04X, at position %d"
                .formatted(name, (int) c, i));
      }
    }
    return Optional.empty();
  }

  /**
   * Length in UTF-8 of a text without lone surrogates: each half of a surrogate pair counts for two
   * of the pair's four bytes.
   */
  private static long utf8Length(String value) {
    return value
        .chars()
        .mapToLong(c -> c < 0x80 ? 1 : c < 0x800 || Character.isSurrogate((char) c) ? 2 : 3)
        .sum();
  }

  private static Optional<RecordError> error(String errorClass, String message) {
    return Optional.of(new RecordError(errorClass, message));
  }
}
