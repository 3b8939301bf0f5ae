package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.TrainingStep;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Steps of several domains at once. */
@Tag("unit")
class DomainTrainerTest {
  private final DomainTrainer trainer =
      new DomainTrainer(
          MiniLm.base(),
          MiniLm.settings().domains().others().training(),
          MiniLm.settings().domains().others().recorded(),
          1);

  @AfterEach
  void close() {
    trainer.close();
  }

  @Test
  void eachDomainsStepIsTheOneItTakesAlone() {
    List<DomainBatch> together = List.of(batch("a", 0, 4), batch("b", 4, 5), batch("c", 2, 9));
    List<DomainBatch> alone = List.of(batch("a", 0, 4), batch("b", 4, 5), batch("c", 2, 9));
    for (int step = 0; step < 2; step++) {
      List<StepOutcome> outcomes = trainer.steps(together);

      for (int i = 0; i < alone.size(); i++) {
        DomainBatch batch = alone.get(i);
        TrainingStep expected =
            trainer.step(batch.domain(), batch.state(), batch.examples(), batch.closedBy());
        assertThat(withoutClock(outcomes.get(i))).isEqualTo(withoutClock(expected));
        assertThat(together.get(i).state()).isEqualTo(batch.state());
      }
    }
  }

  @Test
  void aDomainWhoseStepIsNotFiniteLeavesItsNeighboursAsTheyAreAlone() {
    DomainBatch broken = batch("broken", 0, 4);
    trainer.steps(List.of(broken));
    float[] huge = new float[broken.state().getHead().remaining() / Float.BYTES];
    Arrays.fill(huge, 3e38f);
    ByteBuffer head = ByteBuffer.allocate(huge.length * Float.BYTES);
    head.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().put(huge);
    broken.state().setHead(head.order(ByteOrder.BIG_ENDIAN));
    String before = trainer.sha256(broken.state());
    List<DomainBatch> alone = List.of(batch("a", 0, 4), batch("b", 4, 5));

    List<StepOutcome> outcomes = trainer.steps(List.of(batch("a", 0, 4), broken, batch("b", 4, 5)));

    assertThat(outcomes.get(1)).isInstanceOf(StepOutcome.NotFinite.class);
    assertThat(trainer.sha256(broken.state())).isEqualTo(before);
    assertThat(List.of(withoutClock(outcomes.get(0)), withoutClock(outcomes.get(2))))
        .isEqualTo(trainer.steps(alone).stream().map(DomainTrainerTest::withoutClock).toList());
  }

  private DomainBatch batch(String domain, int from, int to) {
    DomainState state = trainer.initialState();
    List<ReceivedExample> examples = new ArrayList<>();
    for (int offset = from; offset < to; offset++) {
      examples.add(Received.example(domain, 0, offset, offset));
    }
    return new DomainBatch(domain, state, examples, BatchClosedBy.COUNT);
  }

  private static TrainingStep withoutClock(StepOutcome outcome) {
    return withoutClock(((StepOutcome.Taken) outcome).step());
  }

  private static TrainingStep withoutClock(TrainingStep step) {
    return TrainingStep.newBuilder(step).setStepMillis(0).setFinishedAt(Instant.EPOCH).build();
  }
}
