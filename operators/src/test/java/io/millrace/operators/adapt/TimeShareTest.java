package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class TimeShareTest {
  private static final long MILLISECOND = 1_000_000;

  private long now = 5_000 * MILLISECOND;

  @Test
  void aTaskThatIsAlwaysBusySpendsTheShare() {
    long spent = spentOverSteps(new TimeShare(0.1, () -> now), 10_000, 40, 10);

    long total = now / MILLISECOND - 5_000;
    assertThat((double) spent).isBetween(0.1 * total - 10, 0.1 * total + 10);
  }

  @Test
  void aTaskThatMostlyWaitsSpendsItOnEveryStep() {
    assertThat(spentOverSteps(new TimeShare(0.1, () -> now), 1_000, 400, 10)).isEqualTo(10_000);
  }

  @Test
  void aPauseSavesUpASecondAtMost() {
    TimeShare share = new TimeShare(0.1, () -> now);
    now += 3_600_000 * MILLISECOND;

    assertThat(spentOverSteps(share, 1_000, 0, 10)).isBetween(1_000L, 1_130L);
  }

  @Test
  void allOfTheTimeIsNeverSpent() {
    assertThat(spentOverSteps(new TimeShare(1, () -> now), 1_000, 0, 5_000)).isEqualTo(5_000_000);
  }

  /** Milliseconds spent, where a step takes so many and what may be left out so many more. */
  private long spentOverSteps(TimeShare share, int steps, int stepMillis, int millis) {
    long spent = 0;
    for (int i = 0; i < steps; i++) {
      now += stepMillis * MILLISECOND;
      if (share.isLeft()) {
        now += millis * MILLISECOND;
        share.spend();
        spent += millis;
      }
    }
    return spent;
  }
}
