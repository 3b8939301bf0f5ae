package io.millrace.pipeline.input;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.pipeline.input.LineReader.Line;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class LineReaderTest {
  @Test
  void linesEndWithLfOrCrlfAndTheLastOneWithTheInput() throws IOException {
    assertThat(texts("a\nb\r\n\nc")).containsExactly("a", "b", "", "c");
    assertThat(texts("a\n")).containsExactly("a");
    assertThat(texts("a\rb\r\r\n")).containsExactly("a\rb\r");
    assertThat(texts("")).isEmpty();
  }

  @Test
  void aByteOrderMarkIsNoPartOfTheFirstLine() throws IOException {
    assertThat(texts("\uFEFFa\n\uFEFFb")).containsExactly("a", "\uFEFFb");
  }

  @Test
  void ofALineAboveTheLimitOnlyTheStartIsKept() throws IOException {
    LineReader lines = reader("12345\r\n123456\n1234567890\nok", 5);

    assertThat(lines.next().orElseThrow().isWhole()).isTrue();
    Line long6 = lines.next().orElseThrow();
    assertThat(long6.isWhole()).isFalse();
    assertThat(long6.length()).isEqualTo(6);
    assertThat(long6.bytes()).isEqualTo("12345".getBytes(UTF_8));
    assertThat(lines.next().orElseThrow().length()).isEqualTo(10);
    assertThat(lines.next().orElseThrow().bytes()).isEqualTo("ok".getBytes(UTF_8));
  }

  @Test
  void aLineOfAGibibyteTakesNoMemory() throws IOException {
    InputStream endless =
        new InputStream() {
          private long left = 1L << 30;

          @Override
          public int read() {
            return left-- > 0 ? 'x' : -1;
          }

          @Override
          public int read(byte[] buffer, int offset, int length) {
            int given = (int) Math.min(left, length);
            Arrays.fill(buffer, offset, offset + given, (byte) 'x');
            left -= given;
            return given == 0 ? -1 : given;
          }
        };
    Line line = new LineReader(endless, 1024, 0, 0).next().orElseThrow();

    assertThat(line.length()).isEqualTo(1L << 30);
    assertThat(line.bytes()).hasSize(1024);
  }

  @Test
  void itGoesOnFromWhereAnotherStopped() throws IOException {
    String text = "\uFEFFeins\r\nzwei\n\ndrei";
    byte[] all = text.getBytes(UTF_8);
    LineReader first = reader(text, 100);
    first.next();
    first.next();
    byte[] rest = Arrays.copyOfRange(all, (int) first.position(), all.length);
    LineReader second =
        new LineReader(new ByteArrayInputStream(rest), 100, first.lines(), first.position());

    assertThat(second.next().orElseThrow().number()).isEqualTo(3);
  }

  @Test
  void positionsReachTheEndOfTheInput() throws IOException {
    for (String text : List.of("a\nb", "a\nb\n", "a\r\n\r\n", "\uFEFFa")) {
      LineReader lines = reader(text, 1);
      while (lines.next().isPresent()) {
        assertThat(lines.position()).isPositive();
      }
      assertThat(lines.position()).isEqualTo(text.getBytes(UTF_8).length);
    }
  }

  private static List<String> texts(String text) throws IOException {
    LineReader lines = reader(text, 1 << 20);
    List<String> texts = new ArrayList<>();
    for (Optional<Line> line = lines.next(); line.isPresent(); line = lines.next()) {
      assertThat(line.get().number()).isEqualTo(texts.size() + 1);
      texts.add(new String(line.get().bytes(), UTF_8));
    }
    return texts;
  }

  private static LineReader reader(String text, int limit) {
    return new LineReader(new ByteArrayInputStream(text.getBytes(UTF_8)), limit, 0, 0);
  }
}
