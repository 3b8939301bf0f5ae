package io.millrace.pipeline.input;

import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Optional;

/**
 * Reads lines as bytes, in constant memory whatever the input: of a line that is longer than the
 * limit only the start is kept. Lines end with LF or CRLF, the last one also with the input.
 */
final class LineReader implements Closeable {
  private static final byte[] BYTE_ORDER_MARK = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};

  private final InputStream in;
  private final int limit;
  private final byte[] buffer = new byte[1 << 16];
  private int next;
  private int filled;
  private long lines;
  private long position;

  /**
   * One line.
   *
   * @param number counts from 1
   * @param bytes without the line's end; where the line is longer than the limit, its first {@code
   *     limit} bytes
   * @param length of the whole line in bytes, without its end
   */
  record Line(long number, byte[] bytes, long length) {
    boolean isWhole() {
      return bytes.length == length;
    }

    boolean isBlank() {
      for (byte b : bytes) {
        if (b != ' ' && b != '\t' && b != '\r') {
          return false;
        }
      }
      return isWhole();
    }
  }

  /**
   * Reads on from a line's start.
   *
   * @param in stands at {@code position}
   * @param limit the most bytes of a line to keep
   * @param lines how many lines come before
   * @param position how many bytes come before
   */
  LineReader(InputStream in, int limit, long lines, long position) {
    this.in = in;
    this.limit = limit;
    this.lines = lines;
    this.position = position;
  }

  /** The next line; empty at the end of the input. */
  Optional<Line> next() throws IOException {
    if (next == filled && !fill()) {
      return Optional.empty();
    }
    boolean first = position == 0;
    ByteArrayOutputStream kept = new ByteArrayOutputStream();
    long length = 0;
    byte last = 0;
    boolean ended = false;
    do {
      int start = next;
      while (next < filled && buffer[next] != '\n') {
        next++;
      }
      int room = limit + 1 - kept.size();
      kept.write(buffer, start, Math.min(next - start, room));
      length += next - start;
      last = next > start ? buffer[next - 1] : last;
      ended = next < filled;
    } while (!ended && fill());
    position += length;
    if (ended) {
      next++;
      position++;
    }
    lines++;
    return Optional.of(line(kept.toByteArray(), last == '\r' ? length - 1 : length, first));
  }

  /** How many lines have been read, with those before the start. */
  long lines() {
    return lines;
  }

  /** How many bytes these lines took. */
  long position() {
    return position;
  }

  @Override
  public void close() throws IOException {
    in.close();
  }

  private Line line(byte[] kept, long length, boolean first) {
    int mark = first && startsWithByteOrderMark(kept) ? BYTE_ORDER_MARK.length : 0;
    int end = (int) Math.min(Math.min(kept.length, length), (long) limit + mark);
    return new Line(lines, Arrays.copyOfRange(kept, mark, end), length - mark);
  }

  private static boolean startsWithByteOrderMark(byte[] bytes) {
    return bytes.length >= BYTE_ORDER_MARK.length
        && Arrays.equals(
            bytes, 0, BYTE_ORDER_MARK.length, BYTE_ORDER_MARK, 0, BYTE_ORDER_MARK.length);
  }

  private boolean fill() throws IOException {
    next = 0;
    filled = Math.max(0, in.read(buffer));
    return filled > 0;
  }
}
