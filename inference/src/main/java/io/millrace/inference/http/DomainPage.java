package io.millrace.inference.http;

import java.util.Set;

/**
 * Which domains a client asks for: one, or the next so many by name, all of them or those with a
 * prefix.
 *
 * @param domain the one; null for many
 * @param prefix of their names; empty for all
 * @param after the name before the first of them; null to begin with the first one there is
 * @param limit how many at most
 */
record DomainPage(String domain, String prefix, String after, int limit) {
  /** The query parameters that it consists of. */
  static final Set<String> PARAMETERS = Set.of("domain", "prefix", "after", "limit");

  private static final int DEFAULT_LIMIT = 100;
  private static final int MAX_LIMIT = 1000;

  /**
   * Reads it.
   *
   * @throws IllegalArgumentException where it makes no sense; the message is for the client
   */
  static DomainPage of(Query query) {
    String domain = query.text("domain");
    String prefix = query.text("prefix");
    String after = query.text("after");
    if (domain != null && (prefix != null || after != null || query.text("limit") != null)) {
      throw new IllegalArgumentException(
          "\"domain\" asks for one domain: leave \"prefix\", \"after\" and \"limit\" out");
    }
    return new DomainPage(
        domain,
        prefix == null ? "" : prefix,
        after,
        query.number("limit", 1, MAX_LIMIT, DEFAULT_LIMIT));
  }

  /** The name from which on the page begins. */
  String from() {
    return after == null || after.compareTo(prefix) < 0 ? prefix : after;
  }

  /** Whether a name may be on the page. */
  boolean includes(String name) {
    return name.startsWith(prefix) && !name.equals(after);
  }
}
