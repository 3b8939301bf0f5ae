package io.millrace.svft.model;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A JSON file of settings of which each is read or refused: fields are read by name, and {@link
 * #requireKnown} refuses those that nothing has read. Messages name file and field.
 */
final class SettingsFile {
  private final Path path;
  private final JsonNode root;
  private final Set<String> read = new HashSet<>();

  /**
   * @throws ModelException if the file is not a JSON object
   */
  SettingsFile(Path path) throws IOException {
    this.path = path;
    this.root = ConfigFile.object(path);
  }

  Path path() {
    return path;
  }

  /** A field's value; a missing node where there is none. */
  JsonNode value(String field) {
    read.add(field);
    return root.path(field);
  }

  /** The names of the fields that begin with {@code prefix}. */
  List<String> names(String prefix) {
    List<String> names = new ArrayList<>();
    root.fieldNames().forEachRemaining(names::add);
    names.removeIf(name -> !name.startsWith(prefix));
    return names;
  }

  /** A truth value; null counts as missing. */
  boolean flag(String field, boolean unsaid) {
    JsonNode value = value(field);
    requireThat(field, isUnsaid(value) || value.isBoolean(), "it is true or false");
    return isUnsaid(value) ? unsaid : value.asBoolean();
  }

  /** A whole number from 1 on, if the field has a value. */
  Optional<Long> count(String field) {
    JsonNode value = value(field);
    boolean whole = value.isNumber() && value.asDouble() >= 1 && value.asDouble() % 1 == 0;
    boolean huge = value.isBigInteger() && value.asDouble() > 1;
    requireThat(field, isUnsaid(value) || whole || huge, "it is a whole number from 1 on");
    if (isUnsaid(value)) {
      return Optional.empty();
    }
    // transformers writes 10^30 for "no limit".
    return Optional.of(value.canConvertToLong() ? value.longValue() : Long.MAX_VALUE);
  }

  /** Refuses another text than {@code supported}, which is what a missing field means. */
  void requireText(String field, String supported) {
    JsonNode value = value(field);
    boolean same = value.isTextual() && value.asText().equals(supported);
    requireThat(field, isUnsaid(value) || same, "only \"" + supported + "\" is supported");
  }

  /** Refuses an object with fields. */
  void requireEmpty(String field) {
    JsonNode value = value(field);
    boolean empty = value.isContainerNode() && value.isEmpty();
    requireThat(field, isUnsaid(value) || empty, "not supported");
  }

  /**
   * Refuses every field that has not been read.
   *
   * @param harmless fields that change no vector
   */
  void requireKnown(Set<String> harmless) {
    for (String field : names("")) {
      requireThat(field, read.contains(field) || harmless.contains(field), "not supported");
    }
  }

  /**
   * @throws ModelException with the field's value and {@code why}, unless {@code holds}
   */
  void requireThat(String field, boolean holds, String why) {
    if (!holds) {
      JsonNode value = root.path(field);
      throw new ModelException(
          "%s: field %s is %s; %s"
              .formatted(
                  path,
                  Safetensors.oneLine(field),
                  value.isMissingNode() ? "missing" : Safetensors.oneLine(value.toString()),
                  why));
    }
  }

  private static boolean isUnsaid(JsonNode value) {
    return value.isMissingNode() || value.isNull();
  }
}
