package io.millrace.client.process;

import io.millrace.schemas.text.ShownText;
import java.io.PrintWriter;

/**
 * The output of a command. Whatever passes is shown as {@link ShownText} says, so no name can move
 * the cursor, forge a line or turn the direction of writing. {@code println} prints one line: a
 * line end within its text is shown too. {@code print} keeps line ends.
 */
final class ShownOutput extends PrintWriter {
  ShownOutput(PrintWriter out) {
    super(out, true);
  }

  @Override
  public void println(String line) {
    super.println(ShownText.of(String.valueOf(line)));
  }

  @Override
  public void println(Object line) {
    println(String.valueOf(line));
  }

  @Override
  public void write(String text, int from, int length) {
    String shown = ShownText.lines(text.substring(from, from + length));
    super.write(shown, 0, shown.length());
  }

  @Override
  public void write(char[] text, int from, int length) {
    String shown = ShownText.lines(new String(text, from, length));
    super.write(shown, 0, shown.length());
  }

  @Override
  public void write(int character) {
    write(Character.toString((char) character));
  }
}
