package io.millrace.schemas.text;

/**
 * The one way in which text that others wrote (domains, labels, texts, ids, paths, messages)
 * reaches a terminal or a log: what a terminal would obey or hide is shown as an escape and never
 * sent.
 *
 * <p>Escaped are control characters, which move the cursor, change colors or begin a line;
 * characters without a shape, among them those that turn the direction of writing; line and
 * paragraph separators; and halves of surrogate pairs. Joiners within emoji and words stay. Escapes
 * are those of JSON strings ({@code \n}, {@code \u001b}), so JSON text that is escaped so is the
 * same JSON. All other text is unchanged.
 */
public final class ShownText {
  private static final int ZERO_WIDTH_NON_JOINER = 0x200c;
  private static final int ZERO_WIDTH_JOINER = 0x200d;

  private ShownText() {}

  /** Text within a line. */
  public static String of(String text) {
    return escaped(text, false);
  }

  /** Text of several lines, whose line ends {@code \n} and tabulators stay. */
  public static String lines(String text) {
    return escaped(text, true);
  }

  private static String escaped(String text, boolean lines) {
    int clean = 0;
    while (clean < text.length() && isPlain(text.charAt(clean))) {
      clean++;
    }
    if (clean == text.length()) {
      return text;
    }
    StringBuilder shown = new StringBuilder(text.length() + 16).append(text, 0, clean);
    int next;
    for (int at = clean; at < text.length(); at = next) {
      int character = text.codePointAt(at);
      next = at + Character.charCount(character);
      if ((lines && (character == '\n' || character == '\t')) || !isEscaped(character)) {
        shown.appendCodePoint(character);
        continue;
      }
      for (int i = at; i < next; i++) {
        shown.append(escape(text.charAt(i)));
      }
    }
    return shown.toString();
  }

  /** Most text is ASCII. */
  private static boolean isPlain(char character) {
    return character >= ' ' && character < 0x7f;
  }

  private static boolean isEscaped(int character) {
    return switch (Character.getType(character)) {
      case Character.CONTROL,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SURROGATE ->
          true;
      case Character.FORMAT -> character != ZERO_WIDTH_JOINER && character != ZERO_WIDTH_NON_JOINER;
      default -> false;
    };
  }

  private static String escape(char unit) {
    return switch (unit) {
      case '\n' -> "\\n";
      case '\r' -> "\\r";
      case '\t' -> "\\t";
      default -> "\\u%04x".formatted((int) unit);
    };
  }
}
