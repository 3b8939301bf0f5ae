package io.millrace.svft.method;

import io.millrace.svft.model.WeightRole;
import java.math.BigDecimal;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * The parts of a method's text {@code id[:argument][;name=value]...}.
 *
 * @param text as the user wrote it
 * @param id the part before the colon
 * @param argument the part after the colon
 * @param options the values of the options, by name
 */
record MethodText(String text, String id, Optional<String> argument, Map<String, String> options) {

  private static final String WEIGHTS = "weights";

  /**
   * Splits a text into its parts.
   *
   * @throws IllegalArgumentException if an option is not of the form name=value or occurs twice
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
   * Checks that the text has no other options than these.
   *
   * @throws IllegalArgumentException if it has
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

  /** The value of an option: the default if the text omits it. */
  String value(MethodOption option) {
    Optional<String> written =
        option.role() == MethodOption.Role.ARGUMENT
            ? argument
            : Optional.ofNullable(options.get(option.name()));
    return written.orElse(option.defaultValue());
  }

  /**
   * The value of an option as a whole number from 0.
   *
   * @throws IllegalArgumentException if the value is not such a number or exceeds an int
   */
  int wholeNumber(MethodOption option) {
    String value = value(option);
    try {
      if (value.matches("[0-9]+")) {
        return Integer.parseInt(value);
      }
    } catch (NumberFormatException e) {
      // Larger than an int: refused below, like a value that is not a number.
    }
    throw refused(text, option.name() + " \"" + value + "\" is not a whole number");
  }

  /**
   * The value of a derived option as a decimal number; empty if the text omits the option.
   *
   * @throws IllegalArgumentException if the value is not a decimal number
   */
  Optional<Double> decimal(MethodOption option) {
    String value = options.get(option.name());
    if (value == null) {
      return Optional.empty();
    }
    if (!value.matches("[0-9]+([.][0-9]+)?")) {
      throw refused(text, option.name() + " \"" + value + "\" is not a decimal number");
    }
    return Optional.of(Double.parseDouble(value));
  }

  /**
   * The roles that the option {@code weights} names, or the defaults if the text omits it.
   *
   * @throws IllegalArgumentException if a role is unknown
   */
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

  /** A decimal number in a spec: without an exponent, and without zeros at its end. */
  static String plain(double value) {
    return BigDecimal.valueOf(value).stripTrailingZeros().toPlainString();
  }

  /** The option {@code weights} in a spec; empty if the weights are the defaults. */
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
