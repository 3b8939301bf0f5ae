package io.millrace.svft.method;

import io.millrace.svft.model.WeightRole;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * A method's text, taken apart: {@code id[:argument][;name=value]...}.
 *
 * @param text as the user wrote it
 * @param id before the colon
 * @param argument after the colon
 * @param options by name
 */
record MethodText(String text, String id, Optional<String> argument, Map<String, String> options) {

  private static final String WEIGHTS = "weights";

  /**
   * @throws IllegalArgumentException where an option is not of the form name=value or stands twice
   */
  static MethodText of(String text) {
    String[] parts = text.split(";", -1);
    int colon = parts[0].indexOf(':');
    Map<String, String> options = new TreeMap<>();
    for (int i = 1; i < parts.length; i++) {
      int equals = parts[i].indexOf('=');
      if (equals < 0) {
        throw refused(text, "option \"" + parts[i] + "\" is not of the form name=value");
      }
      String name = parts[i].substring(0, equals);
      if (options.put(name, parts[i].substring(equals + 1)) != null) {
        throw refused(text, "option " + name + " is given twice");
      }
    }
    return new MethodText(
        text,
        colon < 0 ? parts[0] : parts[0].substring(0, colon),
        colon < 0 ? Optional.empty() : Optional.of(parts[0].substring(colon + 1)),
        options);
  }

  /**
   * @throws IllegalArgumentException where there is another option than these
   */
  void requireOnly(Set<String> known) {
    for (String name : options.keySet()) {
      if (!known.contains(name)) {
        throw refused(
            text,
            "unknown option \""
                + name
                + "\": it takes "
                + (known.isEmpty() ? "none" : String.join(" and ", new TreeSet<>(known))));
      }
    }
  }

  /** The whole number that a value is. */
  int wholeNumber(String name, String value) {
    try {
      if (value.matches("[0-9]+")) {
        return Integer.parseInt(value);
      }
    } catch (NumberFormatException e) {
      // Larger than an int: refused like what is no number.
    }
    throw refused(text, name + " \"" + value + "\" is not a whole number");
  }

  /** The decimal number that an option is, if it stands there. */
  Optional<Double> decimal(String name) {
    String value = options.get(name);
    if (value == null) {
      return Optional.empty();
    }
    if (!value.matches("[0-9]+([.][0-9]+)?")) {
      throw refused(text, name + " \"" + value + "\" is not a decimal number");
    }
    return Optional.of(Double.parseDouble(value));
  }

  /** The weights that the option {@code weights} names, or these where it is not set. */
  Set<WeightRole> weights(Set<WeightRole> defaults) {
    String value = options.get(WEIGHTS);
    if (value == null) {
      return defaults;
    }
    Set<WeightRole> weights = EnumSet.noneOf(WeightRole.class);
    for (String id : value.split("\\+", -1)) {
      weights.add(
          WeightRole.all().stream()
              .filter(role -> role.id().equals(id))
              .findFirst()
              .orElseThrow(
                  () ->
                      refused(
                          text, "unknown weight \"" + id + "\": use " + ids(WeightRole.all()))));
    }
    return weights;
  }

  /** What a spec says of the weights: nothing where they are the default ones. */
  static String weightsOption(Set<WeightRole> weights, Set<WeightRole> defaults) {
    return weights.equals(defaults) ? "" : ";" + WEIGHTS + "=" + ids(weights);
  }

  static String ids(Set<WeightRole> weights) {
    return weights.stream().map(WeightRole::id).collect(Collectors.joining("+"));
  }

  private static IllegalArgumentException refused(String text, String reason) {
    return new IllegalArgumentException("adapter method \"" + text + "\": " + reason);
  }
}
