package io.millrace.benchmarks.domains;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.TrainingStep;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class TrainedOnceTest {
  private final TrainedOnce trained = new TrainedOnce();

  @Test
  void whatLiesBetweenOffsetsIsNoExample() {
    trained.add(step(new OffsetRun(0, 0L, 2), new OffsetRun(1, 5L, 1)));
    trained.add(step(new OffsetRun(0, 3L, 1)));

    trained.expect(0, 0);
    trained.expect(0, 1);
    trained.expect(0, 3);
    trained.expect(1, 5);

    assertThat(trained.never()).isZero();
    assertThat(trained.twice()).isZero();
  }

  @Test
  void whatComesAgainIsCounted() {
    trained.add(step(new OffsetRun(0, 0L, 4)));
    trained.add(step(new OffsetRun(0, 2L, 3)));

    assertThat(trained.twice()).isEqualTo(2);
  }

  @Test
  void whatNoStepHasIsCounted() {
    trained.add(step(new OffsetRun(0, 0L, 4)));

    trained.expect(0, 4);
    trained.expect(2, 0);

    assertThat(trained.never()).isEqualTo(2);
  }

  private static TrainingStep step(OffsetRun... batch) {
    return TrainingStep.newBuilder()
        .setDomain("a")
        .setStep(1)
        .setClosedBy(BatchClosedBy.COUNT)
        .setBatch(List.of(batch))
        .setCorrect(List.of())
        .setLoss(0)
        .setStateSha256("")
        .setStepMillis(1)
        .setFinishedAt(Instant.EPOCH)
        .build();
  }
}
