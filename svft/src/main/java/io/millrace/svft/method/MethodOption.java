package io.millrace.svft.method;

import java.math.BigDecimal;

/**
 * An option of a method. A method's text writes it as {@code ;name=value}, or, if it is the
 * method's argument, as {@code :value} after the id. The corresponding setting of a job is {@code
 * <id>.<name>}.
 *
 * @param name the name, such as {@code rank}
 * @param type the type of a value
 * @param defaultValue the default
 * @param min the smallest allowed number; unused for a text
 * @param max the largest allowed number; unused for a text
 * @param role how a method's text writes the option
 * @param description one sentence for users
 */
public record MethodOption(
    String name,
    Type type,
    String defaultValue,
    double min,
    double max,
    Role role,
    String description) {

  /** The type of a value. */
  public enum Type {
    TEXT,
    WHOLE_NUMBER,
    DECIMAL
  }

  /** How a method's text writes an option. */
  public enum Role {
    /** Written after the id, as {@code :value}. */
    ARGUMENT,
    /** Written as {@code ;name=value}. */
    OPTION,
    /**
     * Written as {@code ;name=value}. At its default it is omitted, and the method derives the
     * value.
     */
    DERIVED
  }

  static MethodOption text(String name, String defaultValue, Role role, String description) {
    return new MethodOption(name, Type.TEXT, defaultValue, 0, 0, role, description);
  }

  static MethodOption wholeNumber(
      String name, int defaultValue, int min, int max, Role role, String description) {
    return new MethodOption(
        name, Type.WHOLE_NUMBER, Integer.toString(defaultValue), min, max, role, description);
  }

  static MethodOption decimal(
      String name, double defaultValue, double min, double max, Role role, String description) {
    return new MethodOption(
        name, Type.DECIMAL, Double.toString(defaultValue), min, max, role, description);
  }

  /** The part of a method's text for a value of this option; empty if the text omits it. */
  String text(String value) {
    String plain = type == Type.DECIMAL ? new BigDecimal(value).toPlainString() : value;
    return switch (role) {
      case ARGUMENT -> ":" + plain;
      case OPTION -> ";" + name + "=" + plain;
      case DERIVED -> value.equals(defaultValue) ? "" : ";" + name + "=" + plain;
    };
  }
}
