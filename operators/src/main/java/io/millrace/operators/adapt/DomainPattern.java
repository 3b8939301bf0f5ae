package io.millrace.operators.adapt;

/**
 * Which domains a rule is for: the one of a name, all below a prefix ({@code acme/*}, at any depth
 * and without {@code acme} itself), or all ({@code *}).
 *
 * @param text as it is written
 */
public record DomainPattern(String text) implements Comparable<DomainPattern> {
  private static final String ALL = "*";
  private static final String BELOW = "/*";

  /**
   * @throws IllegalArgumentException where the text is none of the three
   */
  public DomainPattern {
    String name = text.endsWith(BELOW) ? text.substring(0, text.length() - BELOW.length()) : text;
    boolean malformed =
        name.isBlank() || name.contains(ALL) || !name.equals(text) && endsOpen(name);
    if (malformed && !text.equals(ALL)) {
      throw new IllegalArgumentException(
          "'%s' names no domains: write a domain's name, PREFIX/* for all below a prefix, or *"
              .formatted(text));
    }
  }

  private static boolean endsOpen(String prefix) {
    return prefix.endsWith("/");
  }

  /** Whether it is for all domains. */
  public boolean isForAll() {
    return text.equals(ALL);
  }

  /** Whether it is for the domains below a prefix. */
  boolean isForPrefix() {
    return text.endsWith(BELOW);
  }

  /** Whether it is for one domain. */
  public boolean isForOne() {
    return !isForAll() && !isForPrefix();
  }

  /** What the names of its domains begin with: {@code acme/} of {@code acme/*}. */
  private String start() {
    return text.substring(0, text.length() - ALL.length());
  }

  /** The prefix without its last slash. */
  String prefix() {
    return text.substring(0, text.length() - BELOW.length());
  }

  /** Whether every domain of another pattern is one of this pattern, too. */
  public boolean covers(DomainPattern other) {
    return isForAll()
        || equals(other)
        || isForPrefix() && !other.isForAll() && other.text.startsWith(start());
  }

  /** The most general first, then by length: one that covers another stands before it. */
  @Override
  public int compareTo(DomainPattern other) {
    int kinds = Integer.compare(kind(), other.kind());
    if (kinds != 0) {
      return kinds;
    }
    int lengths = Integer.compare(text.length(), other.text.length());
    return lengths != 0 ? lengths : text.compareTo(other.text);
  }

  private int kind() {
    return isForAll() ? 0 : isForPrefix() ? 1 : 2;
  }
}
