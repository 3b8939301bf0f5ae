package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.operators.adapt.AdaptSettings.Limits;
import io.millrace.schemas.TrainingStep;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Domains that come no more. Retention of a minute; batches of four, a version every two steps. */
@Tag("unit")
class DomainRetentionTest {
  private static final long MINUTE = 60_000;
  private static final AdaptSettings SETTINGS =
      MiniLm.settings(new Limits(4000, 64L << 20, 64L << 20, 1000, Duration.ofMillis(MINUTE)));

  @Test
  void aDomainWithoutAVersionIsDroppedOnceKafkasTimeHasPassed() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(SETTINGS)) {
      adapt.receive("a", 0, 4);
      adapt.receive(Received.example("b", 0, 10, MINUTE));
      adapt.clock(3 * MINUTE);
      assertThat(adapt.state("a")).as("Kafka's time has not passed").isNotNull();

      adapt.receive(Received.example("b", 0, 11, MINUTE + 4));
      adapt.clock(6 * MINUTE);

      assertThat(adapt.state("a")).isNull();
    }
  }

  @Test
  void aDomainWithAVersionKeepsItsState() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(SETTINGS)) {
      adapt.receive("a", 0, 8);
      adapt.receive(Received.example("b", 0, 10, 100 * MINUTE));
      adapt.clock(3 * MINUTE);
      adapt.receive(Received.example("a", 0, 11, 100 * MINUTE));

      assertThat(adapt.state("a").getVersion()).isEqualTo(1);
    }
  }

  /** Whether a timer came first or the next example decides nothing. */
  @Test
  void aClockDecidesOnlyWhenStateIsFreed() throws Exception {
    try (AdaptHarness swept = AdaptHarness.start(SETTINGS);
        AdaptHarness notSwept = AdaptHarness.start(SETTINGS);
        AdaptHarness fresh = AdaptHarness.start(SETTINGS)) {
      for (AdaptHarness adapt : List.of(swept, notSwept)) {
        adapt.receive("a", 0, 4);
        adapt.receive(Received.example("b", 0, 10, 2 * MINUTE));
      }
      swept.clock(3 * MINUTE);
      assertThat(swept.state("a")).isNull();
      assertThat(notSwept.state("a")).isNotNull();
      for (AdaptHarness adapt : List.of(swept, notSwept, fresh)) {
        for (int offset = 20; offset < 24; offset++) {
          adapt.receive(Received.example("a", 0, offset, 2 * MINUTE + offset));
        }
      }

      TrainingStep anew = fresh.steps("a").get(0);
      for (AdaptHarness adapt : List.of(swept, notSwept)) {
        TrainingStep step = adapt.steps("a").get(1);
        assertThat(step.getStep()).isEqualTo(1);
        assertThat(step.getStateSha256()).isEqualTo(anew.getStateSha256());
      }
    }
  }

  @Test
  void anOpenBatchTrainsBeforeItsDomainIsDropped() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(SETTINGS)) {
      adapt.receive("a", 0, 2);
      adapt.receive(Received.example("a", 0, 10, 2 * MINUTE));

      assertThat(adapt.steps("a")).extracting(step -> step.getCorrect().size()).containsExactly(2);
      assertThat(adapt.state("a")).isNull();
    }
  }

  @Test
  void aRestoredDomainIsDroppedToo() throws Exception {
    try (AdaptHarness before = AdaptHarness.start(SETTINGS)) {
      before.receive("a", 0, 4);
      try (AdaptHarness adapt = AdaptHarness.restore(SETTINGS, before.snapshot())) {
        adapt.receive(Received.example("b", 0, 10, 2 * MINUTE));
        adapt.clock(3 * MINUTE);

        assertThat(adapt.state("a")).isNull();
      }
    }
  }

  @Test
  void withoutItNothingIsDropped() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive("a", 0, 4);
      adapt.receive(Received.example("b", 0, 10, 100 * MINUTE));
      adapt.clock(100 * MINUTE);

      assertThat(adapt.state("a")).isNotNull();
    }
  }
}
