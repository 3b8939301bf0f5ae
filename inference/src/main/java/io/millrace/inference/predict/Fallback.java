package io.millrace.inference.predict;

import java.util.Locale;

/** What answers for a domain without an adapter. */
public enum Fallback {
  /** The nearest domain above it that has one, else the base model. */
  PARENT,
  /** Nothing. */
  NONE;

  /** As a user writes it. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The one that a user writes so. */
  public static Fallback of(String word) {
    return valueOf(word.toUpperCase(Locale.ROOT));
  }
}
