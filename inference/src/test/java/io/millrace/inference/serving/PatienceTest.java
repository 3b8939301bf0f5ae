package io.millrace.inference.serving;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PatienceTest {
  private final Patience patience = new Patience();

  @Test
  void itIsWorthItUntilItWasInVain() {
    assertThat(patience.isWorthIt()).isTrue();
    patience.wasInVain();
    assertThat(patience.isWorthIt()).isFalse();
    assertThat(patience.isWorthIt()).isTrue();
  }

  @Test
  void eachTimeTwiceAsManyGoAheadButNeverMoreThanSixteen() {
    assertThat(IntStream.range(0, 7).map(i -> goAheadAfterOneInVain()))
        .containsExactly(1, 2, 4, 8, 16, 16, 16);
  }

  @Test
  void aVersionInTimeBeginsTheCountAnew() {
    goAheadAfterOneInVain();
    goAheadAfterOneInVain();
    patience.wasInVain();
    patience.wasRewarded();

    assertThat(patience.isWorthIt()).isTrue();
    assertThat(goAheadAfterOneInVain()).isEqualTo(1);
  }

  private int goAheadAfterOneInVain() {
    patience.wasInVain();
    int ahead = 0;
    while (!patience.isWorthIt()) {
      ahead++;
    }
    return ahead;
  }
}
