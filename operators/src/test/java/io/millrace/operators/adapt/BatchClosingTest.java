package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.TrainingStep;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What closes a batch. Batches hold four examples and wait five seconds. */
@Tag("unit")
class BatchClosingTest {
  private AdaptHarness adapt;

  @BeforeEach
  void start() throws Exception {
    adapt = AdaptHarness.start(MiniLm.settings());
  }

  @AfterEach
  void stop() {
    adapt.close();
  }

  @Test
  void aFullBatchClosesAtOnce() throws Exception {
    adapt.receive("a", 0, 3);
    assertThat(adapt.steps()).isEmpty();
    adapt.receive("a", 3, 9);

    assertThat(adapt.steps()).hasSize(2);
    assertStep(adapt.steps().get(0), 1, BatchClosedBy.COUNT, new OffsetRun(0, 0L, 4));
    assertStep(adapt.steps().get(1), 2, BatchClosedBy.COUNT, new OffsetRun(0, 4L, 4));
  }

  @Test
  void theNextExampleClosesABatchThatStreamTimeHasLeftBehind() throws Exception {
    adapt.receive(Received.example("a", 0, 0, 1_000));
    adapt.receive(Received.example("a", 0, 1, 2_000));
    adapt.receive(Received.example("a", 0, 2, 6_001));

    assertThat(adapt.steps()).hasSize(1);
    assertStep(adapt.steps().get(0), 1, BatchClosedBy.TIMEOUT, new OffsetRun(0, 0L, 2));
  }

  @Test
  void atExactlyTheTimeoutABatchIsStillOpen() throws Exception {
    adapt.receive(Received.example("a", 0, 0, 1_000));
    adapt.receive(Received.example("a", 0, 1, 6_000));

    assertThat(adapt.steps()).isEmpty();
  }

  @Test
  void whetherTimerOrExampleNoticesFirstTheBatchIsTheSame() throws Exception {
    adapt.receive(Received.example("a", 0, 0, 1_000));
    adapt.receive(Received.example("a", 0, 1, 2_000));
    adapt.receive(Received.example("b", 0, 2, 7_000));
    adapt.receive(Received.example("a", 0, 3, 7_500));
    TrainingStep noticedByExample = adapt.steps("a").get(0);

    try (AdaptHarness other = AdaptHarness.start(MiniLm.settings())) {
      other.receive(Received.example("a", 0, 0, 1_000));
      other.receive(Received.example("a", 0, 1, 2_000));
      other.receive(Received.example("b", 0, 2, 7_000));
      other.clock(4_000);
      other.receive(Received.example("b", 0, 3, 7_100));
      assertThat(other.steps()).isEmpty();
      other.clock(5_000);
      TrainingStep noticedByTimer = other.steps("a").get(0);

      assertThat(noticedByTimer.getBatch()).isEqualTo(noticedByExample.getBatch());
      assertThat(noticedByTimer.getClosedBy()).isEqualTo(noticedByExample.getClosedBy());
      assertThat(noticedByTimer.getStateSha256()).isEqualTo(noticedByExample.getStateSha256());
    }
  }

  @Test
  void aPauseOfTheWholeStreamClosesABatch() throws Exception {
    adapt.receive("a", 0, 2);
    adapt.clock(4_999);
    assertThat(adapt.steps()).isEmpty();
    adapt.clock(5_000);

    assertThat(adapt.steps()).hasSize(1);
    assertStep(adapt.steps().get(0), 1, BatchClosedBy.TIMEOUT, new OffsetRun(0, 0L, 2));
  }

  @Test
  void aStepLongerThanTheTimeoutIsNoPause() throws Exception {
    adapt.stepsTake(8_000);
    adapt.receive("a", 0, 1);
    adapt.clock(1_000);
    adapt.receive("b", 0, 4);
    adapt.clock(9_000);
    assertThat(adapt.steps("a")).isEmpty();
    adapt.clock(13_999);
    assertThat(adapt.steps("a")).isEmpty();
    adapt.clock(14_000);

    assertThat(adapt.steps("a")).hasSize(1);
  }

  @Test
  void aPauseClosesTheBatchesOfAllDomainsHoweverLongTheirStepsTake() throws Exception {
    adapt.stepsTake(8_000);
    adapt.receive("a", 0, 1);
    adapt.receive("b", 0, 1);
    adapt.receive("c", 0, 1);
    for (int step = 0; step < 3; step++) {
      adapt.clock(5_000 + 8_001 * step);
    }

    assertThat(adapt.steps()).extracting(TrainingStep::getDomain).containsOnly("a", "b", "c");
  }

  @Test
  void timeInWhichTheInputIsHeldBackIsNoPause() throws Exception {
    adapt.receive("a", 0, 1);
    adapt.holdBackTheInput();
    adapt.clock(5_000);
    assertThat(adapt.steps()).isEmpty();
    adapt.clock(10_000);

    assertThat(adapt.steps()).hasSize(1);
  }

  @Test
  void aBatchWaitsWhileAPartitionThatLagsBehindStillFlows() throws Exception {
    adapt.receive(Received.example("a", 0, 100, 50_000));
    for (int second = 1; second <= 20; second++) {
      adapt.clock(1_000 * second);
      adapt.receive(Received.example("b", 1, second, second));
    }
    assertThat(adapt.steps("a")).isEmpty();
    adapt.clock(29_999);

    assertThat(adapt.steps("b")).hasSize(5);
    assertThat(adapt.steps("a")).hasSize(1);
    assertStep(adapt.steps("a").get(0), 1, BatchClosedBy.TIMEOUT, new OffsetRun(0, 100L, 1));
  }

  @Test
  void anotherPartitionsTimeClosesNothing() throws Exception {
    adapt.receive(Received.example("a", 0, 0, 1_000));
    for (int second = 1; second <= 20; second++) {
      adapt.clock(1_000 * second);
      adapt.receive(Received.example("b", 1, second, 90_000 + second));
    }

    assertThat(adapt.steps("a")).isEmpty();
  }

  @Test
  void aBatchOfTwoPartitionsGoesByTheTimeOfItsFirstExample() throws Exception {
    adapt.receive(Received.example("a", 0, 0, 1_000));
    adapt.receive(Received.example("a", 1, 70, 90_000));
    adapt.receive(Received.example("a", 0, 1, 6_001));

    assertThat(adapt.steps()).hasSize(1);
    assertStep(
        adapt.steps().get(0),
        1,
        BatchClosedBy.TIMEOUT,
        new OffsetRun(0, 0L, 1),
        new OffsetRun(1, 70L, 1));
  }

  @Test
  void theNextBatchHasATimeoutOfItsOwn() throws Exception {
    adapt.receive("a", 0, 4);
    adapt.clock(3_000);
    adapt.receive("a", 4, 6);
    adapt.clock(7_999);
    assertThat(adapt.steps()).hasSize(1);
    adapt.clock(8_000);

    assertThat(adapt.steps()).hasSize(2);
    assertStep(adapt.steps().get(1), 2, BatchClosedBy.TIMEOUT, new OffsetRun(0, 4L, 2));
  }

  @Test
  void withoutATimeoutABatchWaitsForTheEndOfTheInput() throws Exception {
    AdaptSettings patient = withTimeout(Duration.ZERO);
    try (AdaptHarness other = AdaptHarness.start(patient)) {
      other.receive(Received.example("a", 0, 0, 0));
      other.receive(Received.example("a", 0, 1, 900_000));
      other.clock(900_000);
      assertThat(other.steps()).isEmpty();
      other.endOfInput();

      assertThat(other.steps()).hasSize(1);
      assertStep(other.steps().get(0), 1, BatchClosedBy.END_OF_INPUT, new OffsetRun(0, 0L, 2));
    }
  }

  @Test
  void theEndOfTheInputClosesTheBatchesOfAllDomains() throws Exception {
    adapt.receive("a", 0, 1);
    adapt.receive("b", 1, 3);
    adapt.watermark(1_000_000_000);
    assertThat(adapt.steps()).isEmpty();
    adapt.endOfInput();

    assertThat(adapt.steps("a")).hasSize(1);
    assertStep(adapt.steps("a").get(0), 1, BatchClosedBy.END_OF_INPUT, new OffsetRun(0, 0L, 1));
    assertStep(adapt.steps("b").get(0), 1, BatchClosedBy.END_OF_INPUT, new OffsetRun(0, 1L, 2));
  }

  private static AdaptSettings withTimeout(Duration timeout) {
    AdaptSettings settings = MiniLm.settings();
    DomainSettings all = settings.domains().others();
    return settings.with(
        new DomainRules(
            new DomainSettings(
                all.training(),
                all.batchSize(),
                timeout,
                all.publishEverySteps(),
                all.snapshotEveryVersions(),
                all.recorded(),
                all.initFrom(),
                all.firstPolicy())));
  }

  private static void assertStep(
      TrainingStep step, long number, BatchClosedBy closedBy, OffsetRun... batch) {
    assertThat(step.getStep()).isEqualTo(number);
    assertThat(step.getClosedBy()).isEqualTo(closedBy);
    assertThat(step.getBatch()).containsExactly(batch);
    assertThat(step.getCorrect())
        .hasSize(step.getBatch().stream().mapToInt(OffsetRun::getCount).sum());
  }
}
