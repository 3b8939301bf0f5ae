package io.millrace.schemas;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Names of domains as paths: {@code a/b} is below {@code a}.
 *
 * <p>A name stands for itself, character by character; nothing here makes two names one. Only the
 * way up passes over empty parts: above {@code a//b} and {@code a/} is {@code a}, and above {@code
 * /a} is nothing.
 */
public final class DomainPath {
  /** How far the way up leads, at most: a name may be as long as whoever sends it likes. */
  public static final int MOST_ABOVE = 16;

  private DomainPath() {}

  /** The name of the domain above this one; empty where there is none. */
  public static Optional<String> parent(String domain) {
    int end = domain.lastIndexOf('/');
    while (end > 0 && domain.charAt(end - 1) == '/') {
      end--;
    }
    String above = domain.substring(0, Math.max(0, end));
    return above.isBlank() ? Optional.empty() : Optional.of(above);
  }

  /** The names above this one, the nearest first; {@value #MOST_ABOVE} at most. */
  public static List<String> above(String domain) {
    List<String> names = new ArrayList<>();
    Optional<String> next = parent(domain);
    while (next.isPresent() && names.size() < MOST_ABOVE) {
      names.add(next.get());
      next = parent(next.get());
    }
    return names;
  }
}
