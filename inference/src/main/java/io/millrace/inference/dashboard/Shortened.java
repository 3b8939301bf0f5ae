package io.millrace.inference.dashboard;

/** Text that others wrote, as much of it as is kept. */
final class Shortened {
  private Shortened() {}

  /**
   * The beginning of a text, with an ellipsis where it was longer. It never ends within a character
   * of two units, of which half is none.
   *
   * @param most UTF-16 units to keep
   */
  static String text(String text, int most) {
    if (text.length() <= most) {
      return text;
    }
    int end = Character.isHighSurrogate(text.charAt(most - 1)) ? most - 1 : most;
    return text.substring(0, end) + "…";
  }
}
