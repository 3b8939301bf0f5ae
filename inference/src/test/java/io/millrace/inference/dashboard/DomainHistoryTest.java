package io.millrace.inference.dashboard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class DomainHistoryTest {
  private static final int BATCH = 16;

  private final DomainHistory history = new DomainHistory();

  private void step(long step) {
    step(step, step * 1000, 8);
  }

  private void step(long step, long time, int correct) {
    Comparison compared = new Comparison(BATCH, correct, 4, Math.min(correct, 4));
    history.add(step, time, BATCH, correct, step % 4 == 0 ? compared : Comparison.NONE);
  }

  private int examples() {
    return IntStream.range(0, history.size()).map(history::examples).sum();
  }

  private static final Comparison COMPARED = new Comparison(BATCH, 8, 4, 4);

  @Test
  void fewStepsAreAPointEach() {
    for (int step = 1; step <= DomainHistory.MOST; step++) {
      step(step);
    }

    assertThat(history.size()).isEqualTo(DomainHistory.MOST);
    assertThat(history.step(4)).isEqualTo(5);
    assertThat(history.time(4)).isEqualTo(5000);
    assertThat(history.examples(4)).isEqualTo(BATCH);
    assertThat(history.correct(4)).isEqualTo(8);
    assertThat(history.comparison(3)).isEqualTo(new Comparison(BATCH, 8, 4, 4));
    assertThat(history.comparison(4)).isEqualTo(Comparison.NONE);
  }

  @Test
  void manyStepsShareItsPointsAndNoneIsLost() {
    int steps = 12_345;
    for (int step = 1; step <= steps; step++) {
      step(step, step * 10L, 8);
    }

    assertThat(history.size()).isBetween(DomainHistory.MOST / 2, DomainHistory.MOST);
    assertThat(examples()).isEqualTo(steps * BATCH);
    assertThat(history.step(history.size() - 1)).isEqualTo(steps);
    assertThat(history.latest(Integer.MAX_VALUE))
        .isEqualTo(new Comparison(steps / 4 * BATCH, steps / 4 * 8, steps / 4 * 4, steps / 4 * 4));
    for (int i = 1; i < history.size(); i++) {
      assertThat(history.step(i)).isGreaterThan(history.step(i - 1));
    }
  }

  @Test
  void whatIsOlderThanADayIsLeftOut() {
    long day = DomainHistory.AGE.toMillis();
    step(1, 0, 8);
    step(2, 1000, 8);
    step(3, day + 1000, 8);

    assertThat(history.size()).isEqualTo(2);
    assertThat(history.step(0)).isEqualTo(2);
  }

  @Test
  void stepsThatAreTakenAgainReplaceTheOnesBefore() {
    for (int step = 1; step <= 10; step++) {
      step(step);
    }

    history.forgetFrom(7);
    step(7, 20_000, 16);

    assertThat(history.size()).isEqualTo(7);
    assertThat(history.correct(6)).isEqualTo(16);
    assertThat(examples()).isEqualTo(7 * BATCH);
  }

  @Test
  void aMergedPointIsForgottenWithItsLastStep() {
    for (int step = 1; step <= 10 * DomainHistory.MOST; step++) {
      step(step, step, 8);
    }

    history.forgetFrom(1000);

    assertThat(history.step(history.size() - 1)).isLessThan(1000).isGreaterThan(980);
    step(1000, 2000, 8);
    assertThat(history.step(history.size() - 1)).isEqualTo(1000);
  }

  @Test
  void theNewestPointsSayHowItDoesNow() {
    for (int step = 1; step <= 20; step++) {
      step(step, step, step <= 10 ? 0 : 12);
    }

    assertThat(history.accuracy(160)).isEqualTo(0.75);
    assertThat(history.accuracy(Integer.MAX_VALUE)).isEqualTo(0.375);
    assertThat(history.latest(1)).isEqualTo(new Comparison(BATCH, 12, 4, 4));
    assertThat(new DomainHistory().accuracy(10)).isNaN();
  }

  @Test
  void howManyWereTrainedOnWhileSomeWereComparedIsKnown() {
    for (int step = 1; step <= 20; step++) {
      history.add(step, step, BATCH, 8, step % 4 == 0 ? COMPARED : Comparison.NONE);
    }

    assertThat(history.latest(2 * BATCH).examples()).isEqualTo(2 * BATCH);
    assertThat(history.latestTrained(2 * BATCH)).isEqualTo(5 * BATCH);
    assertThat(history.latestTrained(Integer.MAX_VALUE)).isEqualTo(20 * BATCH);
  }

  @Test
  void theOutlineIsTheWholeCourseInFewParts() {
    for (int step = 1; step <= 100; step++) {
      step(step, step, step <= 50 ? 0 : 16);
    }

    assertThat(history.outline(4)).containsExactly(0, 0, 1, 1);
    assertThat(new DomainHistory().outline(4)).isEmpty();
  }

  @Test
  void theIntervalAroundADifferenceHoldsTheTruthAndNarrows() {
    Comparison few = new Comparison(20, 16, 10, 8);
    Comparison many = new Comparison(20_000, 16_000, 10_000, 8_000);

    assertThat(few.difference()).isCloseTo(0.3, within(1e-9));
    assertThat(few.margin()).isBetween(0.2, 0.4);
    assertThat(many.margin()).isBetween(0.008, 0.01);
    // Models that err together are told apart sooner than models that do not.
    assertThat(new Comparison(20_000, 16_000, 10_000, 10_000).margin()).isLessThan(many.margin());
    assertThat(Comparison.NONE.difference()).isZero();
  }
}
