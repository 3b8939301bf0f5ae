package io.millrace.inference.serving;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class MergeBackoffTest {
  private final MergeBackoff backoff = new MergeBackoff();

  @Test
  void versionsWaitUntilOneWaitedInVain() {
    assertThat(backoff.admitNext()).isTrue();
    backoff.timedOut();
    assertThat(backoff.admitNext()).isFalse();
    assertThat(backoff.admitNext()).isTrue();
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
    backoff.timedOut();
    backoff.succeeded();

    assertThat(backoff.admitNext()).isTrue();
    assertThat(goAheadAfterOneInVain()).isEqualTo(1);
  }

  private int goAheadAfterOneInVain() {
    backoff.timedOut();
    int ahead = 0;
    while (!backoff.admitNext()) {
      ahead++;
    }
    return ahead;
  }
}
