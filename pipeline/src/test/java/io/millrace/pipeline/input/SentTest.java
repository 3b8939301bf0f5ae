package io.millrace.pipeline.input;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class SentTest {
  @Test
  void itComesBackFromItsTextAsItWas() {
    Sent sent = new Sent(9, 800, 6, new TreeMap<>(Map.of("BlankText", 1L, "BrokenJson", 2L)), true);

    assertThat(Sent.decode(sent.encode())).isEqualTo(sent);
    assertThat(Sent.decode(Sent.NOTHING.encode())).isEqualTo(Sent.NOTHING);
    assertThat(sent.deadLetters()).isEqualTo(3);
  }

  @Test
  void otherTextIsRefused() {
    for (String text : new String[] {"", "hello", "lines=x", "lines=1"}) {
      assertThatThrownBy(() -> Sent.decode(text)).isInstanceOf(IllegalArgumentException.class);
    }
  }
}
