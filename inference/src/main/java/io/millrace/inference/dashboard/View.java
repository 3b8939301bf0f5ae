package io.millrace.inference.dashboard;

import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What somebody looks at: one domain, or a page of the list of domains.
 *
 * @param domain the domain; null for the list
 * @param search what the names on the list contain, whatever the case; empty for all
 * @param filter which domains are on the list
 * @param order the order of the list
 * @param page of the list, from 0
 */
public record View(String domain, String search, Filter filter, Order order, int page) {
  /** Domains on a page of the list. */
  public static final int PAGE = 25;

  /** Which domains are on the list. */
  public enum Filter {
    ALL,
    NEEDS,
    DRIFT,
    CANARY,
    HELD,
    REFUSED
  }

  /** The order of the list; equal ones by name. */
  public enum Order {
    /** What needs somebody first. */
    NEEDS,
    NAME,
    /** The latest step first. */
    RECENT,
    /** Where adapting gains least first. */
    GAIN
  }

  /** The first page of the same list. */
  View first() {
    return new View(domain, search, filter, order, 0);
  }

  /** Of one domain. */
  public static View of(String domain) {
    return new View(domain, "", Filter.ALL, Order.NEEDS, 0);
  }

  /** The word for a filter or an order. */
  static String word(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  /**
   * The filter or order that a word names.
   *
   * @param name of the parameter, for the message
   * @throws IllegalArgumentException where it names none
   */
  public static <E extends Enum<E>> E named(String name, Class<E> type, String word, E otherwise) {
    if (word == null) {
      return otherwise;
    }
    for (E each : type.getEnumConstants()) {
      if (word(each).equals(word)) {
        return each;
      }
    }
    throw new IllegalArgumentException(
        "\"%s\" is none of %s"
            .formatted(
                name,
                Stream.of(type.getEnumConstants())
                    .map(View::word)
                    .collect(Collectors.joining(", "))));
  }
}
