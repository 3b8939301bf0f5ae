package io.millrace.svft.method;

import java.math.BigDecimal;

/**
 * One option of a method. In a method's text it stands as {@code ;name=value}, or, if it is the
 * method's argument, as {@code :value} after the id. A job has it as the setting {@code
 * <id>.<name>}.
 *
 * @param name such as {@code rank}
 * @param type what a value may be
 * @param defaultValue the value unless the user sets another
 * @param min of a number, the smallest allowed
 * @param max of a number, the largest allowed
 * @param role how the option stands in a method's text
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

  /** What a value may be. */
  public enum Type {
    TEXT,
    WHOLE_NUMBER,
    DECIMAL
  }

  /** How an option stands in a method's text. */
  public enum Role {
    /** After the id, as {@code :value}. */
    ARGUMENT,
    /** As {@code ;name=value}. */
    OPTION,
    /** As {@code ;name=value}; left out at its default value, and the method derives a value. */
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

  /** What a method's text says for this value; empty where it says nothing. */
  String text(String value) {
    String plain = type == Type.DECIMAL ? new BigDecimal(value).toPlainString() : value;
    return switch (role) {
      case ARGUMENT -> ":" + plain;
      case OPTION -> ";" + name + "=" + plain;
      case DERIVED -> value.equals(defaultValue) ? "" : ";" + name + "=" + plain;
    };
  }
}
