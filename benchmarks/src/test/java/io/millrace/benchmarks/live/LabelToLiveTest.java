package io.millrace.benchmarks.live;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.StreamPosition;
import io.millrace.schemas.TrainingStep;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class LabelToLiveTest {
  private static final long START = 1_000_000;

  /** Offsets 0 and 1 in step 1 and version 1; 2 and 3 in step 2 and version 2. */
  private final NavigableMap<Long, Long> appended =
      new TreeMap<>(Map.of(0L, START, 1L, START + 100, 2L, START + 200, 3L, START + 300));

  private final List<TrainingStep> steps =
      List.of(step(1, 0, START + 180), step(2, 2, START + 390));
  private final NavigableMap<Long, AdapterVersion> versions =
      new TreeMap<>(Map.of(1L, version(1, 1, START + 182), 2L, version(2, 3, START + 391)));
  private final Map<Long, Long> committed = Map.of(1L, START + 900, 2L, START + 900);

  @Test
  void anExampleIsLiveWithTheFirstAnswerOfItsVersionOrANewerOne() {
    // Version 1 was overtaken before it could serve.
    NavigableMap<Long, Long> live = new TreeMap<>(Map.of(2L, START + 950));
    NavigableMap<Long, Long> answered = new TreeMap<>(Map.of(2L, START + 1000));

    LabelToLive latencies = LabelToLive.of(appended, steps, versions, committed, live, answered);

    assertThat(latencies.examples()).isEqualTo(4);
    assertThat(latencies.versions()).isEqualTo(2);
    assertThat(latencies.seconds(0.5)).isEqualTo(0.8);
    assertThat(latencies.seconds(1)).isEqualTo(1.0);
    assertThat(latencies.toString())
        .contains("| label to live | 850 | 800 | 1,000 | 1,000 | 1,000 |")
        .contains("| training step | 40 | 40 | 40 | 40 | 40 |")
        .contains("| load, merge and swap | 50 | 50 |");
    // 140, 40, 150 and 50 ms
    assertThat(latencies.outran(50)).isFalse();
  }

  @Test
  void aQueueIsNotLatency() {
    appended.replaceAll((offset, time) -> time - 5000);

    assertThat(
            LabelToLive.of(
                    appended,
                    steps,
                    versions,
                    committed,
                    new TreeMap<>(Map.of(1L, START + 950, 2L, START + 950)),
                    new TreeMap<>(Map.of(1L, START + 960, 2L, START + 960)))
                .outran(400))
        .isTrue();
  }

  @Test
  void anExampleThatNeverCameToLifeIsAFailure() {
    NavigableMap<Long, Long> live = new TreeMap<>(Map.of(1L, START + 950));

    assertThatThrownBy(() -> LabelToLive.of(appended, steps, versions, committed, live, live))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("no version that was trained on the example at offset 2 has answered");
  }

  private static TrainingStep step(long number, long offset, long finished) {
    return TrainingStep.newBuilder()
        .setDomain("d")
        .setStep(number)
        .setClosedBy(BatchClosedBy.COUNT)
        .setBatch(List.of(new OffsetRun(0, offset, 2)))
        .setCorrect(List.of(true, true))
        .setLoss(0)
        .setStateSha256("")
        .setStepMillis(40)
        .setFinishedAt(Instant.ofEpochMilli(finished))
        .build();
  }

  private static AdapterVersion version(long number, long through, long created) {
    return AdapterVersion.newBuilder()
        .setDomain("d")
        .setVersion(number)
        .setSha256("")
        .setBaseModel("")
        .setBaseSha256("")
        .setBasisSha256("")
        .setMethod("")
        .setPattern("")
        .setTrainableParameters(0)
        .setLabels(List.of())
        .setSteps(number)
        .setExamples(2 * number)
        .setTrainedThrough(List.of(new StreamPosition(0, through)))
        .setPayload(ByteBuffer.allocate(0))
        .setCreatedAt(Instant.ofEpochMilli(created))
        .build();
  }
}
