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
 * {@code BlankX}, {@code XTooLarge}, {@code MetadataTooLarge}, {@code NulCharacter}, {@code
 * LoneSurrogate}, {@code BadWeight}. Where several apply, the first one found is reported. The
 * fields are checked in the order domain, text, label, id, metadata, weight.
 */
public final class ExampleRules implements Serializable {
  private static final long serialVersionUID = 1L;

  private final Limits limits;

  /**
   * The largest sizes allowed, in bytes of UTF-8, and the largest weight.
   *
   * @param textBytes of the text
   * @param labelBytes of the label
   * @param domainBytes of the domain, which is also part of the adapter's key
   * @param metadataBytes of the id, and of all keys and values of the metadata, together
   * @param weight of the example. The others of a batch have shares that are smaller by this
   *     factor; float32 has room for about ten million.
   */
  public record Limits(
      long textBytes, long labelBytes, long domainBytes, long metadataBytes, double weight)
      implements Serializable {
    /**
     * 64 KiB of text, 1 KiB of label, 256 bytes of domain, 64 KiB of metadata, a weight of 1000.
     */
    public static final Limits DEFAULT = new Limits(64 * 1024, 1024, 256, 64 * 1024, 1000);
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
        .or(() -> metadata(example.getId(), example.getMetadata()))
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

  private Optional<RecordError> metadata(String id, Map<String, String> given) {
    Map<String, String> metadata = given == null ? Map.of() : given;
    long bytes = id == null ? 0 : utf8Length(id);
    for (Map.Entry<String, String> entry : metadata.entrySet()) {
      bytes += utf8Length(entry.getKey());
      bytes += entry.getValue() == null ? 0 : utf8Length(entry.getValue());
    }
    if (bytes > limits.metadataBytes()) {
      return error(
          "MetadataTooLarge",
          "id and metadata are %d bytes long in UTF-8; limits.metadataBytes allows %d"
              .formatted(bytes, limits.metadataBytes()));
    }
    return metadata.entrySet().stream()
        .flatMap(
            entry ->
                wellFormed("a metadata key", entry.getKey())
                    .or(() -> wellFormed("a metadata value", entry.getValue()))
                    .stream())
        .findFirst();
  }

  private Optional<RecordError> weight(float weight) {
    if (!(weight > 0) || !Float.isFinite(weight)) {
      return error("BadWeight", "weight is " + weight + ", not a positive finite number");
    }
    return weight <= limits.weight()
        ? Optional.empty()
        : error(
            "BadWeight",
            "weight is %s; limits.weight allows %s".formatted(weight, limits.weight()));
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
