package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.Received;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.ReceivedExample;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class BatchIdentityTest {
  @Test
  void neighboursInAPartitionJoinIntoOneRun() {
    assertThat(runs(at(0, 5), at(0, 6), at(0, 7))).containsExactly(new OffsetRun(0, 5L, 3));
  }

  @Test
  void aGapAStepBackAndAnotherPartitionEachStartARun() {
    assertThat(runs(at(0, 5), at(0, 7), at(0, 6), at(1, 7), at(1, 8), at(0, 8)))
        .containsExactly(
            new OffsetRun(0, 5L, 1),
            new OffsetRun(0, 7L, 1),
            new OffsetRun(0, 6L, 1),
            new OffsetRun(1, 7L, 2),
            new OffsetRun(0, 8L, 1));
  }

  @Test
  void anEmptyBatchHasNoRuns() {
    assertThat(BatchIdentity.runs(List.of())).isEmpty();
  }

  private static List<OffsetRun> runs(ReceivedExample... batch) {
    return BatchIdentity.runs(List.of(batch));
  }

  private static ReceivedExample at(int partition, long offset) {
    return Received.example("a", partition, offset, 0);
  }
}
